//! The events that commands tell of, by the names that Redis has for them.

use crate::store::{Class, Event};

const fn event(class: Class, name: &'static str) -> Event {
    Event { class, name }
}

pub const COPY_TO: Event = event(Class::Generic, "copy_to");
pub const DEL: Event = event(Class::Generic, "del");
pub const EXPIRE: Event = event(Class::Generic, "expire");
pub const MOVE_FROM: Event = event(Class::Generic, "move_from");
pub const MOVE_TO: Event = event(Class::Generic, "move_to");
pub const PERSIST: Event = event(Class::Generic, "persist");
pub const RENAME_FROM: Event = event(Class::Generic, "rename_from");
pub const RENAME_TO: Event = event(Class::Generic, "rename_to");
pub const RESTORE: Event = event(Class::Generic, "restore");

pub const APPEND: Event = event(Class::String, "append");
pub const INCRBY: Event = event(Class::String, "incrby");
pub const INCRBYFLOAT: Event = event(Class::String, "incrbyfloat");
pub const PFADD: Event = event(Class::String, "pfadd");
pub const SET: Event = event(Class::String, "set");
pub const SETBIT: Event = event(Class::String, "setbit");
pub const SETRANGE: Event = event(Class::String, "setrange");

pub const HDEL: Event = event(Class::Hash, "hdel");
pub const HEXPIRE: Event = event(Class::Hash, "hexpire");
pub const HINCRBY: Event = event(Class::Hash, "hincrby");
pub const HINCRBYFLOAT: Event = event(Class::Hash, "hincrbyfloat");
pub const HPERSIST: Event = event(Class::Hash, "hpersist");
pub const HSET: Event = event(Class::Hash, "hset");

pub const LINSERT: Event = event(Class::List, "linsert");
pub const LPOP: Event = event(Class::List, "lpop");
pub const LPUSH: Event = event(Class::List, "lpush");
pub const LREM: Event = event(Class::List, "lrem");
pub const LSET: Event = event(Class::List, "lset");
pub const LTRIM: Event = event(Class::List, "ltrim");
pub const RPOP: Event = event(Class::List, "rpop");
pub const SORTSTORE: Event = event(Class::List, "sortstore");
pub const RPUSH: Event = event(Class::List, "rpush");

pub const SADD: Event = event(Class::Set, "sadd");
pub const SDIFFSTORE: Event = event(Class::Set, "sdiffstore");
pub const SINTERSTORE: Event = event(Class::Set, "sinterstore");
pub const SPOP: Event = event(Class::Set, "spop");
pub const SREM: Event = event(Class::Set, "srem");
pub const SUNIONSTORE: Event = event(Class::Set, "sunionstore");

pub const GEORADIUSSTORE: Event = event(Class::Zset, "georadiusstore");
pub const GEOSEARCHSTORE: Event = event(Class::Zset, "geosearchstore");
pub const ZADD: Event = event(Class::Zset, "zadd");
pub const ZDIFFSTORE: Event = event(Class::Zset, "zdiffstore");
pub const ZINCR: Event = event(Class::Zset, "zincr");
pub const ZINTERSTORE: Event = event(Class::Zset, "zinterstore");
pub const ZPOPMAX: Event = event(Class::Zset, "zpopmax");
pub const ZPOPMIN: Event = event(Class::Zset, "zpopmin");
pub const ZRANGESTORE: Event = event(Class::Zset, "zrangestore");
pub const ZREM: Event = event(Class::Zset, "zrem");
pub const ZREMRANGEBYLEX: Event = event(Class::Zset, "zremrangebylex");
pub const ZREMRANGEBYRANK: Event = event(Class::Zset, "zremrangebyrank");
pub const ZREMRANGEBYSCORE: Event = event(Class::Zset, "zremrangebyscore");
pub const ZUNIONSTORE: Event = event(Class::Zset, "zunionstore");
pub const XADD: Event = event(Class::Stream, "xadd");
pub const XDEL: Event = event(Class::Stream, "xdel");
pub const XGROUP_CREATE: Event = event(Class::Stream, "xgroup-create");
pub const XGROUP_CREATECONSUMER: Event = event(Class::Stream, "xgroup-createconsumer");
pub const XGROUP_DELCONSUMER: Event = event(Class::Stream, "xgroup-delconsumer");
pub const XGROUP_DESTROY: Event = event(Class::Stream, "xgroup-destroy");
pub const XGROUP_SETID: Event = event(Class::Stream, "xgroup-setid");
pub const XSETID: Event = event(Class::Stream, "xsetid");
pub const XTRIM: Event = event(Class::Stream, "xtrim");

pub const KEYMISS: Event = event(Class::Miss, "keymiss");
