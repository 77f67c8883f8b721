//! From the socket to the network: what may be read, and how it travels.

use super::{LOCAL_WINDOW, Net, READ_AT_ONCE, SECTION_HEAD, Socket};
use crate::core::Router;
use crate::core::conn::Waiter;
use crate::core::legacy::DataHead;
use crate::core::types::{CloseKind, Encapsulation, FlowId, FlowIo};
use moorline_amqp::End;
use std::time::Instant;

impl Router {
    pub(in crate::core) fn flow_io_now(&mut self, id: FlowId) -> FlowIo {
        let Some(flow) = self.flows.get(id) else {
            return FlowIo { close: Some(CloseKind::Done), ..FlowIo::default() };
        };
        if flow.close.is_some() {
            return FlowIo { close: flow.close, ..FlowIo::default() };
        }
        if flow.socket == Socket::Connecting {
            return FlowIo::default();
        }
        let (has_output, moved) = (!flow.write.is_empty(), flow.moved);
        let shutdown_write = flow.write_ended && flow.is_drained();
        let joined = match flow.net {
            Net::Local(other) if self.flows.get(other).is_some_and(|other| other.is_drained()) => Some(other),
            _ => None,
        };
        let read_budget = if flow.read_closed { 0 } else { self.read_budget(id) };
        FlowIo { read_budget, joined, has_output, moved, shutdown_write, close: None }
    }

    fn read_budget(&mut self, id: FlowId) -> usize {
        let Some(flow) = self.flows.get(id) else { return 0 };
        match &flow.net {
            Net::Cut => 0,
            Net::Local(other) => match self.flows.get(*other) {
                // One filling at a time: of a pipe that is not empty nobody can tell whether it is full, or the socket empty.
                Some(other) if other.moved > 0 => 0,
                Some(other) if other.socket == Socket::Open => {
                    LOCAL_WINDOW.saturating_sub(other.write.len()).min(READ_AT_ONCE)
                }
                _ => 0,
            },
            Net::Remote(remote) => {
                let Some(out) = remote.sendable(flow.side) else { return 0 };
                let window = usize::try_from(remote.window.left()).unwrap_or(usize::MAX);
                let Some(conn) = self.conns.get_mut(remote.conn) else { return 0 };
                let room = conn.room(out).saturating_sub(SECTION_HEAD);
                if room == 0 && !flow.blocked {
                    conn.blocked.push_back(Waiter::Flow(id));
                    self.flows[id].blocked = true;
                }
                window.min(room).min(READ_AT_ONCE)
            }
        }
    }

    pub(in crate::core) fn flow_data(&mut self, id: FlowId, data: &[u8], now: Instant) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.count_read(data.len(), now);
        match &mut flow.net {
            Net::Cut => {}
            Net::Local(other) => {
                let other = *other;
                if let Some(other) = self.flows.get_mut(other) {
                    other.write.push(data);
                }
                self.wake_flow(other);
            }
            Net::Remote(remote) => {
                let (Some(conn), Some(out)) = (self.conns.get_mut(remote.conn), remote.out) else { return };
                if remote.window.send(data.len(), now) {
                    conn.heard = Some((id, now));
                }
                let head = DataHead::new(data.len());
                let head = match remote.encapsulation {
                    Encapsulation::Lite => &[],
                    Encapsulation::Legacy => head.bytes(),
                };
                let pushed = conn.amqp.push_parts(out, [head, data], End::More);
                if !pushed.done {
                    remote.backlog.extend_from_slice(head.get(pushed.bytes..).unwrap_or_default());
                    let sent = pushed.bytes.saturating_sub(head.len());
                    remote.backlog.extend_from_slice(data.get(sent..).unwrap_or_default());
                    if !flow.blocked {
                        conn.blocked.push_back(Waiter::Flow(id));
                        flow.blocked = true;
                    }
                }
                let conn = remote.conn;
                self.wake_conn(conn);
            }
        }
    }

    pub(in crate::core) fn flow_moved(&mut self, id: FlowId, n: usize, now: Instant) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.count_read(n, now);
        if let Net::Local(other) = flow.net {
            if let Some(other) = self.flows.get_mut(other) {
                other.moved += n;
            }
            self.wake_flow(other);
        }
    }

    pub(in crate::core) fn flow_read_closed(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.read_closed = true;
        if let Net::Local(other) = flow.net {
            if let Some(other) = self.flows.get_mut(other) {
                other.write_ended = true;
            }
            self.wake_flow(other);
            self.close_if_over(other);
        }
        self.flush_flow(id);
        self.close_if_over(id);
    }

    /// Room has come: what could not be sent before goes now.
    pub(in crate::core) fn unblock_flow(&mut self, id: FlowId) {
        if let Some(flow) = self.flows.get_mut(id) {
            flow.blocked = false;
            self.flush_flow(id);
            self.close_if_over(id);
            self.wake_flow(id);
        }
    }

    /// Sends the backlog and, when the socket has ended, the final transfer.
    pub(super) fn flush_flow(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let read_closed = flow.read_closed;
        let already = flow.blocked;
        let Some(remote) = flow.remote() else { return };
        let (Some(out), false) = (remote.out, remote.ended) else { return };
        if remote.backlog.is_empty() && !read_closed {
            return;
        }
        let conn_id = remote.conn;
        let Some(conn) = self.conns.get_mut(conn_id) else { return };
        let end = if read_closed { End::Last } else { End::More };
        let pushed = conn.amqp.push(out, &remote.backlog, end);
        remote.backlog.drain(..pushed.bytes.min(remote.backlog.len()));
        if pushed.done {
            remote.backlog = Vec::new();
            remote.ended = read_closed;
        } else if !already {
            conn.blocked.push_back(Waiter::Flow(id));
        }
        flow.blocked = already || !pushed.done;
        self.wake_conn(conn_id);
        if pushed.done && read_closed {
            self.stream_ended(conn_id, out);
        }
    }
}
