//! The mail of one endpoint: what the core tells of its messages reaches the task that waits for it.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};

use moorline_amqp::{DeliveryState, End};
use slotmap::SecondaryMap;

use super::incoming::Incoming;
use super::outgoing::Outgoing;
use crate::core::{EndpointEvent, EndpointId, MessageId};
use crate::io::driver::Driver;
use crate::io::signal::Signal;

/// An endpoint of the core, and who waits for which of its messages.
pub(super) struct Post {
    pub(super) driver: Rc<Driver>,
    pub(super) endpoint: EndpointId,
    signal: Rc<Signal>,
    closed: Cell<bool>,
    messages: RefCell<SecondaryMap<MessageId, Weak<News>>>,
    inboxes: RefCell<HashMap<String, Rc<Inbox>>>,
    /// What to do when an address that it produces for can be reached, or not any more.
    reachable: Box<dyn Fn(bool)>,
}

/// What is new about one message, as long as somebody wants to know.
pub(super) struct News {
    post: Weak<Post>,
    message: MessageId,
    /// Arriving: more input. Leaving: room, or its end.
    pub(super) moved: Signal,
    /// Leaving: its end.
    decided: Signal,
    /// Arriving: its sender vanished.
    pub(super) aborted: Cell<bool>,
    /// Leaving: octets of the body that the receiver has taken, when it tells.
    pub(super) taken: Cell<Option<u64>>,
    /// Leaving: the core has done with it.
    pub(super) settled: Cell<bool>,
    /// Leaving: the receiver has said its last word, perhaps before our end.
    pub(super) is_decided: Cell<bool>,
    state: RefCell<Option<DeliveryState>>,
}

impl Drop for News {
    fn drop(&mut self) {
        if let Some(post) = self.post.upgrade() {
            post.messages.borrow_mut().remove(self.message);
        }
    }
}

impl News {
    /// Waits for the receiver's last word on a leaving message. One task may wait.
    pub(super) async fn verdict(&self) -> Option<DeliveryState> {
        while !self.is_decided.get() {
            self.decided.wait().await;
        }
        self.state.borrow().clone()
    }
}

/// Messages that have arrived for one address.
#[derive(Default)]
pub(super) struct Inbox {
    arrived: RefCell<VecDeque<Incoming>>,
    signal: Signal,
}

impl Inbox {
    /// Waits for the next message. One task may wait.
    pub(super) async fn next(&self) -> Incoming {
        loop {
            let next = self.arrived.borrow_mut().pop_front();
            if let Some(incoming) = next {
                return incoming;
            }
            self.signal.wait().await;
        }
    }
}

impl Post {
    /// Adds an endpoint and its task; `reachable` hears of the addresses that it produces for.
    pub(super) fn open(driver: &Rc<Driver>, reachable: impl Fn(bool) + 'static) -> Rc<Post> {
        let (endpoint, signal) = driver.add_endpoint();
        driver.core(|router, _| router.hurry_endpoint(endpoint));
        let post = Rc::new(Post {
            driver: Rc::clone(driver),
            endpoint,
            signal,
            closed: Cell::new(false),
            messages: RefCell::default(),
            inboxes: RefCell::default(),
            reachable: Box::new(reachable),
        });
        driver.spawn(Rc::clone(&post).deliver());
        post
    }

    /// Removes the endpoint: its messages are released or aborted.
    pub(super) fn close(&self) {
        if !self.closed.replace(true) {
            self.driver.remove_endpoint(self.endpoint);
            let known: Vec<_> = self.messages.borrow().values().filter_map(Weak::upgrade).collect();
            for news in known {
                news.aborted.set(true);
                news.settled.set(true);
                news.is_decided.set(true);
                news.moved.set();
                news.decided.set();
            }
            self.signal.set();
        }
    }

    /// Sends the beginning of a message, or all of it. None: nobody serves `to`.
    pub(super) fn send(self: &Rc<Self>, to: &str, bytes: &[u8], end: Option<End>) -> Option<Outgoing> {
        if self.closed.get() {
            return None;
        }
        // Known before the core's events are read: its end may be among them.
        let message = self.driver.core(|router, _| router.send_message(self.endpoint, to, bytes, end))?;
        Some(Outgoing::new(Rc::clone(self), message, self.news(message), end.is_some()))
    }

    /// Messages for an address are put here from now on.
    pub(super) fn inbox(&self, address: &str) -> Rc<Inbox> {
        Rc::clone(self.inboxes.borrow_mut().entry(address.to_owned()).or_default())
    }

    /// What is waiting there is released.
    pub(super) fn remove_inbox(&self, address: &str) {
        let Some(inbox) = self.inboxes.borrow_mut().remove(address) else { return };
        for incoming in inbox.arrived.take() {
            incoming.settle(DeliveryState::Released);
        }
    }

    fn news(self: &Rc<Self>, message: MessageId) -> Rc<News> {
        let news = Rc::new(News {
            post: Rc::downgrade(self),
            message,
            moved: Signal::default(),
            decided: Signal::default(),
            aborted: Cell::new(false),
            taken: Cell::new(None),
            settled: Cell::new(false),
            is_decided: Cell::new(false),
            state: RefCell::default(),
        });
        self.messages.borrow_mut().insert(message, Rc::downgrade(&news));
        news
    }

    async fn deliver(self: Rc<Self>) {
        while !self.closed.get() {
            while let Some(event) = self.driver.core(|router, _| router.poll_endpoint(self.endpoint)) {
                self.sort(event);
            }
            self.signal.wait().await;
        }
    }

    fn sort(self: &Rc<Self>, event: EndpointEvent) {
        let known = |message| self.messages.borrow().get(message).and_then(Weak::upgrade);
        match event {
            EndpointEvent::Arrived { message, address } => {
                let inbox = self.inboxes.borrow().get(&*address).cloned();
                match inbox {
                    Some(inbox) => {
                        let incoming = Incoming::new(Rc::clone(self), message, self.news(message));
                        inbox.arrived.borrow_mut().push_back(incoming);
                        inbox.signal.set();
                    }
                    None => self.driver.core(|router, _| router.settle_message(message, DeliveryState::Released)),
                }
            }
            EndpointEvent::Input(message) | EndpointEvent::Room(message) => {
                if let Some(news) = known(message) {
                    news.moved.set();
                }
            }
            EndpointEvent::Aborted(message) => {
                if let Some(news) = known(message) {
                    news.aborted.set(true);
                    news.moved.set();
                }
            }
            EndpointEvent::Outcome { message, state, settled } => {
                let Some(news) = known(message) else { return };
                match state {
                    Some(DeliveryState::Received { section_offset, .. }) => {
                        news.taken.set(news.taken.get().max(Some(section_offset)));
                        news.moved.set();
                    }
                    Some(state) => {
                        // A message that its receiver wants no more is refused at once and settled at its end.
                        news.is_decided.set(news.is_decided.get() || state != DeliveryState::Accepted);
                        *news.state.borrow_mut() = Some(state);
                    }
                    None => {}
                }
                news.settled.set(settled);
                if settled || news.is_decided.get() {
                    news.is_decided.set(true);
                    news.decided.set();
                    news.moved.set();
                }
            }
            EndpointEvent::Reachable { reachable, .. } => (self.reachable)(reachable),
        }
    }
}

/// An address that this router makes up for the answers to one request.
pub(super) struct ReplyAddress {
    post: Rc<Post>,
    pub(super) address: String,
    pub(super) inbox: Rc<Inbox>,
}

impl ReplyAddress {
    pub(super) fn new(post: &Rc<Post>) -> ReplyAddress {
        let address = post.driver.core(|router, _| router.temporary_address(post.endpoint));
        let inbox = post.inbox(&address);
        ReplyAddress { post: Rc::clone(post), address, inbox }
    }
}

impl Drop for ReplyAddress {
    fn drop(&mut self) {
        self.post.driver.core(|router, _| router.drop_temporary(&self.address));
        self.post.remove_inbox(&self.address);
    }
}
