use crate::Text;
use crate::open::open_object;

open_object! {
    /// Plays a file: one of `file_name` and `file_url`.
    pub struct Play {
        /// `play`. Source: play-file/.
        action: Text = "action",
        /// A file in the platform's storage, mp3 or wav; both generations. Source: play-file/.
        file_name: Text = "file_name",
        /// A file on a web server, mp3 or wav; legacy. Source: play-file/.
        file_url: Text = "file_url",
    }
}

open_object! {
    /// Says a text; legacy.
    pub struct Speak {
        /// `speak`. Source: speak.
        action: Text = "action",
        /// What is said. Source: speak.
        text: Text = "text",
    }
}
