//! A handler that does what its frames say, a log whose marks the test moves, and a plain client.
#![allow(dead_code)] // each test file uses its part

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pagelog_commit_log::{Log, LogOptions, NewEntry, Opened, Route, Stream, StreamId, SyncSide};
use pagelog_net::{Marks, Server, ServerOptions};
use pagelog_os::{MappedFile, page_size};
use pagelog_store::answer::{
    Answer, CloseReason, Context, Handler, Mark, Notify, Pending, Position, Wait, Work,
};
use pagelog_testing::{Fault, MemoryStorage, Operation};
use pagelog_transfer::{Region, Rope};
use rustix::io::Errno;

/// Long enough for a loaded machine; nothing waits for it to pass unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the first byte of a frame asks for. The answer is the frame again, unless said otherwise.
pub(crate) mod ask {
    pub(crate) const NOW: u8 = b'e';
    pub(crate) const SILENT: u8 = b's';
    /// When the mark durable is at the position that follows, eight bytes.
    pub(crate) const DURABLE: u8 = b'd';
    /// At once, by a reactor that stands still until the test opens the gate.
    pub(crate) const HELD: u8 = b'g';
    /// When it is written.
    pub(crate) const WRITTEN: u8 = b'w';
    /// After so many milliseconds, four bytes.
    pub(crate) const TIME: u8 = b't';
    /// When the test has filled the registry and notified.
    pub(crate) const NOTICE: u8 = b'n';
    /// By a worker, when the test opens the gate.
    pub(crate) const WORK: u8 = b'k';
    /// By a worker that finds it has to wait for a notice.
    pub(crate) const WORK_THEN_NOTICE: u8 = b'o';
    /// Waits for a notice, upon which a worker looks, passes the gate, and answers or waits again for what it has seen.
    pub(crate) const HAND_OVER: u8 = b'h';
    /// At once; the next one is not taken for so many milliseconds, four bytes.
    pub(crate) const MUTE: u8 = b'm';
    pub(crate) const CLOSE: u8 = b'c';
    pub(crate) const PANIC: u8 = b'p';
    pub(crate) const PANIC_AT_WORK: u8 = b'q';
    /// So many bytes, four bytes.
    pub(crate) const LONG: u8 = b'l';
    /// All of the stage's file.
    pub(crate) const FILE: u8 = b'f';
    /// Four bytes that take [`super::SLOWLY`] to let go of: the send does not end before.
    pub(crate) const SLOW: u8 = b'z';
    /// [`super::records`] of the stage's file.
    pub(crate) const RECORDS: u8 = b'r';
}

/// What the handlers and the test share.
#[derive(Default)]
pub(crate) struct Stage {
    pub(crate) registered: Mutex<Vec<(u64, Arc<dyn Notify>)>>,
    pub(crate) filled: Mutex<bool>,
    pub(crate) file: Mutex<Option<Arc<MappedFile>>>,
    gate: (Mutex<bool>, Condvar),
    /// How often a worker has looked what is filled.
    pub(crate) looks: Mutex<usize>,
    pub(crate) dropped: Mutex<usize>,
}

impl Stage {
    pub(crate) fn open_gate(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }

    pub(crate) fn pass_gate(&self) {
        drop(
            self.gate
                .1
                .wait_while(self.gate.0.lock().unwrap(), |open| !*open)
                .unwrap(),
        );
    }

    /// Answers all who wait for a notice, once `mark` has reached `at`.
    pub(crate) fn notify(&self, mark: Mark, at: Position) {
        *self.filled.lock().unwrap() = true;
        self.tell(mark, at);
    }

    /// Notifies, and there is nothing.
    pub(crate) fn tell(&self, mark: Mark, at: Position) {
        for (token, notify) in self.registered.lock().unwrap().iter() {
            notify.notify(*token, mark, at);
        }
    }
}

struct TestHandler {
    stage: Arc<Stage>,
    muted_until: Option<Instant>,
}

impl Handler for TestHandler {
    fn muted_until(&self) -> Option<Instant> {
        self.muted_until
    }

    fn frame(&mut self, frame: &[u8], context: &Context<'_>) -> Answer {
        let stage = Arc::clone(&self.stage);
        let answer = framed(frame);
        let later = |wait| {
            Answer::Later(Box::new(Later {
                answer: Some(answer.clone()),
                wait,
                stage: None,
                polled: false,
            }))
        };
        match frame.first() {
            Some(&ask::NOW) => Answer::Now(answer),
            Some(&ask::SILENT) => Answer::Silent,
            Some(&ask::HELD) => {
                stage.pass_gate();
                Answer::Now(answer)
            }
            Some(&ask::MUTE) => {
                let time = Duration::from_millis(u64::from(number(&frame[1..])));
                self.muted_until = Some(context.now + time);
                Answer::Now(answer)
            }
            Some(&ask::DURABLE) => later(wait_for(Mark::Durable, frame)),
            Some(&ask::WRITTEN) => later(wait_for(Mark::Written, frame)),
            Some(&ask::TIME) => {
                let deadline = context.now + Duration::from_millis(u64::from(number(&frame[1..])));
                later(Wait {
                    mark: None,
                    deadline: Some(deadline),
                })
            }
            Some(&ask::NOTICE) => register(stage, answer, context.token, context.notify),
            Some(&ask::WORK) => Answer::Work(Box::new(move || {
                stage.pass_gate();
                Answer::Now(answer)
            })),
            Some(&ask::WORK_THEN_NOTICE) => {
                let (token, notify) = (context.token, Arc::clone(context.notify));
                Answer::Work(Box::new(move || register(stage, answer, token, &notify)))
            }
            Some(&ask::HAND_OVER) => {
                let registered = (context.token, Arc::clone(context.notify));
                stage.registered.lock().unwrap().push(registered);
                Answer::Later(Box::new(Handing::new(stage, answer)))
            }
            Some(&ask::CLOSE) => Answer::Close(CloseReason::new("it was asked to")),
            Some(&ask::PANIC) => panic!("asked to panic"),
            Some(&ask::PANIC_AT_WORK) => {
                Answer::Work(Box::new(|| panic!("asked to panic at work")))
            }
            Some(&ask::LONG) => Answer::Now(framed(&vec![b'.'; number(&frame[1..]) as usize])),
            Some(&ask::FILE) => Answer::Now(whole_file(&stage)),
            Some(&ask::SLOW) => {
                let mut rope = Rope::from(4_u32.to_be_bytes().to_vec());
                rope.push_bytes(Bytes::from_owner(Slow));
                Answer::Now(rope)
            }
            Some(&ask::RECORDS) => Answer::Now(far_apart(&stage)),
            other => Answer::Close(CloseReason::new(format!("unknown request {other:?}"))),
        }
    }
}

fn whole_file(stage: &Stage) -> Rope {
    let file = stage.file.lock().unwrap().clone().unwrap();
    let size = file.size();
    let mut rope = Rope::from((size as u32).to_be_bytes().to_vec());
    rope.push_region(Region::new(file, 0, size));
    rope
}

fn register(stage: Arc<Stage>, answer: Rope, token: u64, notify: &Arc<dyn Notify>) -> Answer {
    stage
        .registered
        .lock()
        .unwrap()
        .push((token, Arc::clone(notify)));
    Answer::Later(Box::new(Later {
        answer: Some(answer),
        wait: Wait::default(),
        stage: Some(stage),
        polled: false,
    }))
}

/// How long the bytes of [`ask::SLOW`] are held.
pub(crate) const SLOWLY: Duration = Duration::from_millis(12);

struct Slow;

impl AsRef<[u8]> for Slow {
    fn as_ref(&self) -> &[u8] {
        b"slow"
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        std::thread::sleep(SLOWLY);
    }
}

/// Where the records of one of sixty streams lie that share a file of so many bytes, each a quarter of a page.
pub(crate) fn records(file_size: usize) -> impl Iterator<Item = Range<usize>> {
    let size = page_size() / 4;
    // Some lie across the border of two pages.
    let starts = (size / 3..file_size - size).step_by(61 * size + 100);
    starts.map(move |at| at..at + size)
}

fn far_apart(stage: &Stage) -> Rope {
    let file = stage.file.lock().unwrap().clone().unwrap();
    let mut regions = Rope::new();
    for record in records(file.size() as usize) {
        let region = Region::new(Arc::clone(&file), record.start as u64, record.len() as u64);
        regions.push_region(region);
    }
    let mut rope = Rope::from((regions.len() as u32).to_be_bytes().to_vec());
    rope.append(regions);
    rope
}

struct Later {
    answer: Option<Rope>,
    wait: Wait,
    /// If set, it waits for `filled` there; else for `wait`.
    stage: Option<Arc<Stage>>,
    polled: bool,
}

impl Pending for Later {
    fn poll(&mut self, now: Instant) -> Option<Rope> {
        let ready = match &self.stage {
            Some(stage) => *stage.filled.lock().unwrap(),
            None => match self.wait.deadline {
                Some(deadline) => now >= deadline,
                // The first poll comes at once; the next only when the mark is there.
                None => std::mem::replace(&mut self.polled, true),
            },
        };
        if ready { self.answer.take() } else { None }
    }

    fn wait(&self) -> Wait {
        self.wait
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        if let Some(stage) = &self.stage {
            *stage.dropped.lock().unwrap() += 1;
        }
    }
}

/// Has a worker look for it.
struct Handing {
    inner: Option<(Arc<Stage>, Rope)>,
    /// It has looked just now.
    fresh: bool,
}

impl Handing {
    fn new(stage: Arc<Stage>, answer: Rope) -> Handing {
        Handing {
            inner: Some((stage, answer)),
            fresh: true,
        }
    }
}

impl Pending for Handing {
    fn poll(&mut self, _now: Instant) -> Option<Rope> {
        None
    }

    fn wait(&self) -> Wait {
        Wait::default()
    }

    fn hand_over(&mut self) -> Option<Work> {
        if std::mem::replace(&mut self.fresh, false) {
            return None;
        }
        let (stage, answer) = self.inner.take()?;
        Some(Box::new(move || {
            let filled = *stage.filled.lock().unwrap();
            *stage.looks.lock().unwrap() += 1;
            stage.pass_gate();
            if filled {
                Answer::Now(answer)
            } else {
                Answer::Later(Box::new(Handing::new(stage, answer)))
            }
        }))
    }
}

fn wait_for(mark: Mark, frame: &[u8]) -> Wait {
    let at = u64::from_be_bytes(frame[1..9].try_into().unwrap());
    Wait {
        mark: Some((mark, Position(at))),
        deadline: None,
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

/// A frame with its prefix.
pub(crate) fn frame(bytes: &[u8]) -> Vec<u8> {
    let mut framed = (bytes.len() as u32).to_be_bytes().to_vec();
    framed.extend_from_slice(bytes);
    framed
}

fn framed(bytes: &[u8]) -> Rope {
    Rope::from(frame(bytes))
}

/// A request: what is asked for, and the rest.
pub(crate) fn request(ask: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![ask];
    bytes.extend_from_slice(rest);
    bytes
}

/// A log whose marks move when the test says so.
pub(crate) struct TestLog {
    pub(crate) log: Arc<Log>,
    sync: SyncSide,
    stream: Arc<Stream>,
    storage: Arc<MemoryStorage>,
}

impl TestLog {
    pub(crate) fn new() -> TestLog {
        let storage = Arc::new(MemoryStorage::new(1));
        let options = LogOptions::new(1 << 20, Route::Staged { ring_size: 1 << 20 }, 1 << 16);
        let Opened { log, sync, .. } =
            Log::open(Arc::clone(&storage) as _, options, &mut |_| Ok(())).unwrap();
        let stream = log.stream(StreamId(1));
        TestLog {
            log,
            sync,
            stream,
            storage,
        }
    }

    /// Appends something. The position to wait for.
    pub(crate) fn append(&self) -> Position {
        let entry = NewEntry::record(b"something");
        self.log.append(&self.stream, &entry).unwrap().end
    }

    pub(crate) fn write(&mut self) {
        self.sync.write().unwrap();
    }

    pub(crate) fn sync(&mut self) {
        self.sync.write().unwrap();
        self.sync.sync().unwrap();
    }

    /// Whether no reactor is in the midst of its round, or has come to the end of it within `limit`.
    pub(crate) fn wait_for_turns(&self, limit: Duration) -> bool {
        self.sync.wait_for_turns(limit)
    }

    /// Has a sync fail, which ends the log.
    pub(crate) fn fail(&mut self) {
        self.storage
            .inject(Fault::once(Operation::Sync, 0, Errno::IO));
        self.append();
        self.sync.write().unwrap();
        self.sync.sync().unwrap_err();
    }

    pub(crate) fn marks(&self) -> Marks {
        Marks {
            written: Arc::clone(self.log.written()),
            durable: Arc::clone(self.log.durable()),
        }
    }
}

/// A server of [`TestHandler`]s with everything around it.
pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) stage: Arc<Stage>,
    pub(crate) log: TestLog,
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        Fixture::with(|_| {})
    }

    /// Two reactors and two workers, changed by `change`.
    pub(crate) fn with(change: impl FnOnce(&mut ServerOptions)) -> Fixture {
        let mut options = ServerOptions {
            listeners: vec![("test".to_owned(), TcpListener::bind("127.0.0.1:0").unwrap())],
            reactors: 2,
            workers: 2,
            ..ServerOptions::default()
        };
        change(&mut options);
        let stage = Arc::new(Stage::default());
        let log = TestLog::new();
        let handlers = Arc::clone(&stage);
        let open = Arc::new(move |_: &_| {
            let handler = TestHandler {
                stage: Arc::clone(&handlers),
                muted_until: None,
            };
            Box::new(handler) as Box<dyn Handler>
        });
        let server = Server::start(options, open, log.marks()).unwrap();
        Fixture { server, stage, log }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(TcpStream::connect(self.server.addresses()[0]).unwrap())
    }

    /// Shows that others are served.
    pub(crate) fn check_service(&self) {
        let mut client = self.client();
        client.send(&request(ask::NOW, b"still there?"));
        assert_eq!(client.receive(), request(ask::NOW, b"still there?"));
    }
}

/// Waits until `condition` holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A blocking client.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) fn new(socket: TcpStream) -> Client {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Client(socket)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(&frame(bytes)).unwrap();
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// The next answer, without its prefix.
    pub(crate) fn receive(&mut self) -> Vec<u8> {
        let mut prefix = [0; 4];
        self.0.read_exact(&mut prefix).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(prefix) as usize];
        self.0.read_exact(&mut answer).unwrap();
        answer
    }

    /// Whether nothing has arrived yet.
    pub(crate) fn is_quiet(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let peeked = self.0.peek(&mut [0]);
        self.0.set_nonblocking(false).unwrap();
        matches!(peeked, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Waits for the server to close; nothing may come before that.
    pub(crate) fn wait_closed(&mut self) {
        match self.0.read(&mut [0]) {
            Ok(0) => {}
            Ok(_) => panic!("something came instead of the end"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}
