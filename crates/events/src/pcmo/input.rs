use crate::open::open_object;
use crate::{Count, Flag, List, Nested, Raw, Seconds, Text};

open_object! {
    /// Collects digits. Legacy: posts them to `action_url`. v3: hands them to `on_result`.
    pub struct Input {
        /// `input`. Source: input.
        action: Text = "action",
        /// Legacy: the most digits; default 1. Source: input.
        max_digit: Count = "max_digit",
        /// Legacy: how long digits are waited for, in seconds; default 5. Source: input.
        timeout: Seconds = "timeout",
        /// Legacy: where the digits are posted, see `DtmfRequest`. Source:
        /// input.
        action_url: Text = "action_url",
        /// v3: where the result goes. Source: py SDK_RESTRUCTURE.md.
        on_result: Nested<OnResult> = "on_result",
        /// v3: which digits are taken. Source: py SDK_RESTRUCTURE.md.
        dtmf: Nested<Dtmf> = "dtmf",
    }
}

open_object! {
    /// Plays a file or says a text, and collects digits (v3: or speech).
    pub struct PlayGetInput {
        /// `play_get_input`. Source: play-get-input.
        action: Text = "action",
        /// Legacy: a file in the platform's storage; the Python SDK puts a URL here as well. Source:
        /// play-get-input.
        file_name: Text = "file_name",
        /// Legacy: a file on a web server. Source: node input.js.
        file_url: Text = "file_url",
        /// Legacy: the most digits; default 1. Source: play-get-input.
        max_digit: Count = "max_digit",
        /// Legacy: how often it is played; default 1, the Python SDK sends 3. Source: play-get-input.
        max_retry: Count = "max_retry",
        /// Legacy: the longest time between digits, in seconds; default 1, the SDKs send 5. Source:
        /// play-get-input.
        timeout: Seconds = "timeout",
        /// Legacy: where the digits are posted, see `DtmfRequest`. Source:
        /// play-get-input.
        action_url: Text = "action_url",
        /// v3: what is played or said. Source: py SDK_RESTRUCTURE.md.
        prompt: Nested<Prompt> = "prompt",
        /// v3: what is collected, `dtmf` or `speech` or both. Source: py SDK_RESTRUCTURE.md.
        input: List<Text> = "input",
        /// v3: where the result goes. Source: py SDK_RESTRUCTURE.md.
        on_result: Nested<OnResult> = "on_result",
        /// v3: which digits are taken. Source: py SDK_RESTRUCTURE.md.
        dtmf: Nested<Dtmf> = "dtmf",
        /// v3: what happens when nothing fits. Source: py SDK_RESTRUCTURE.md.
        retries: Nested<Retries> = "retries",
    }
}

open_object! {
    /// What a v3 `play_get_input` plays or says.
    pub struct Prompt {
        /// `file` or `say`. Source: py SDK_RESTRUCTURE.md.
        prompt_type: Text = "type",
        /// `file`: the file. Source: py SDK_RESTRUCTURE.md.
        file_name: Text = "file_name",
        /// `say`: the text. Source: py SDK_RESTRUCTURE.md.
        say: Text = "say",
        /// `say`: the voice. Source: py SDK_RESTRUCTURE.md.
        voice_id: Text = "voice_id",
        /// `say`: the language, such as `en-IN`. Source: py SDK_RESTRUCTURE.md.
        language: Text = "language",
        /// `say`: how fast, a number; 1 is normal. Source: py SDK_RESTRUCTURE.md.
        speed: Raw = "speed",
    }
}

open_object! {
    /// Which digits a v3 input takes.
    pub struct Dtmf {
        /// The fewest digits. Source: py SDK_RESTRUCTURE.md.
        min_digits: Count = "min_digits",
        /// The most digits. Source: py SDK_RESTRUCTURE.md.
        max_digits: Count = "max_digits",
        /// The key that ends the input, such as `#`. Source: py SDK_RESTRUCTURE.md.
        finish_on_key: Text = "finish_on_key",
        /// How long the first digit is waited for; the unit is not documented. Source: py SDK_RESTRUCTURE.md.
        first_digit_timeout: Count = "first_digit_timeout",
        /// How long each further digit is waited for; the unit is not documented. Source: py
        /// SDK_RESTRUCTURE.md.
        inter_digit_timeout: Count = "inter_digit_timeout",
        /// Whether digits pressed before are dropped. Source: py SDK_RESTRUCTURE.md.
        flush_buffer: Flag = "flush_buffer",
    }
}

open_object! {
    /// What a v3 `play_get_input` does when nothing fits.
    pub struct Retries {
        /// How often it is tried again. Source: py SDK_RESTRUCTURE.md.
        max: Count = "max",
        /// What is played or said when nothing was entered. Source: py SDK_RESTRUCTURE.md.
        no_input_prompt: Nested<Prompt> = "no_input_prompt",
        /// What is played or said when the input does not fit. Source: py SDK_RESTRUCTURE.md.
        invalid_prompt: Nested<Prompt> = "invalid_prompt",
    }
}

open_object! {
    /// Where a v3 input's result goes.
    pub struct OnResult {
        /// `url` or `pcmo`. Source: py SDK_RESTRUCTURE.md.
        result_type: Text = "type",
        /// `url`: where it is posted. Source: py SDK_RESTRUCTURE.md.
        url: Text = "url",
        /// `pcmo`: the name of the pipeline that goes on. Source: py SDK_RESTRUCTURE.md.
        reference: Text = "ref",
    }
}
