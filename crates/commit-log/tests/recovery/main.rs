//! What an opening makes of every state that a crash, a failing device or a stray hand can leave: the end of the log, or a refusal that says why.

mod bad_days;
mod checkpoint;
mod cut;
mod damage;
mod directory;
mod evidence;
mod failures;
mod fixture;
mod front;
mod index;
mod landing;
mod model;
mod recycled;
mod replaying;
mod tail;
