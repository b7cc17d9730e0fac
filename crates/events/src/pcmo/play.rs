use crate::Text;
use crate::open::open_object;

open_object! {
    /// Plays a file: one of `file_name` and `file_url`.
    pub struct Play {
        /// `play` [play-file/].
        action: Text = "action",
        /// A file in the platform's storage, mp3 or wav; both generations [play-file/].
        file_name: Text = "file_name",
        /// A file on a web server, mp3 or wav; legacy [play-file/].
        file_url: Text = "file_url",
    }
}

open_object! {
    /// Says a text; legacy.
    pub struct Speak {
        /// `speak` [speak].
        action: Text = "action",
        /// What is said [speak].
        text: Text = "text",
    }
}
