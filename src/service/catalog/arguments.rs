//! The arguments of the commands, as `COMMAND DOCS` tells them. Clients make hints and checks of them.
//!
//! The table has them in short form: a name, then `:type`, or the parts in parentheses (all of them) or in braces (one of
//! them), then `=TOKEN`, `#number` of the key specification, and marks: `?` it may be left out, `*` there may be several,
//! `+` each with its token. An argument with neither type nor parts is a bare token.

/// An argument, or a group of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// Its type, in Redis's words.
    pub kind: &'static str,
    /// The word that stands before it.
    pub token: Option<&'static str>,
    /// The number of the key specification, if it is a key.
    pub key_spec: Option<i64>,
    /// Redis's flags: `optional`, `multiple`, `multiple_token`.
    pub flags: Vec<&'static str>,
    /// The parts of a group.
    pub parts: Vec<Argument>,
}

/// The arguments of the command with this name.
pub fn arguments(name: &str) -> Vec<Argument> {
    let found = USAGE.binary_search_by_key(&name, |(known, _)| known);
    found.map_or(Vec::new(), |at| Reader { rest: USAGE[at].1 }.list())
}

/// Reads the short form.
struct Reader {
    rest: &'static str,
}

impl Reader {
    /// Arguments up to the end of the text or of the group.
    fn list(&mut self) -> Vec<Argument> {
        let mut all = Vec::new();
        while !self.rest.is_empty() && !self.takes(')') && !self.takes('}') {
            all.push(self.argument());
            let _ = self.takes(' ') || self.takes('|');
        }
        all
    }

    fn argument(&mut self) -> Argument {
        let word = self.word("({=#?*+ |)}");
        // A name may have a colon in it, and a type has none.
        let (name, mut kind) = word.rsplit_once(':').unwrap_or((word, "pure-token"));
        let mut parts = Vec::new();
        if self.takes('{') {
            (kind, parts) = ("oneof", self.list());
        } else if self.takes('(') {
            (kind, parts) = ("block", self.list());
        }
        // A token may be an asterisk.
        let token = self.takes('=').then(|| if self.takes('*') { "*" } else { self.word("#?*+ |)}") });
        let key_spec = self.takes('#').then(|| self.word("?*+ |)}").parse().unwrap_or_default());
        let mut flags = Vec::new();
        for (mark, flag) in [('?', "optional"), ('*', "multiple"), ('+', "multiple_token")] {
            if self.takes(mark) {
                flags.push(flag);
            }
        }
        Argument { name, kind, token, key_spec, flags, parts }
    }

    /// The text up to one of these characters, or to the end.
    fn word(&mut self, ends: &str) -> &'static str {
        let len = self.rest.find(|c| ends.contains(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(len);
        self.rest = rest;
        word
    }

    /// Passes over this character if it comes next.
    fn takes(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

/// The short form for each command that has arguments, sorted by name.
#[rustfmt::skip]
const USAGE: &[(&str, &str)] = &[
    ("append", "key:key#0 value:string"),
    ("auth", "username:string? password:string"),
    ("bgsave", "schedule=SCHEDULE?"),
    ("bitcount", "key:key#0 index(start:integer end:integer index_unit{byte=BYTE|bit=BIT}?)?"),
    ("bitfield", "key:key#0 operation{encoding_offset(encoding:string offset:integer)=GET|write(wrap_sat_fail{wrap=WRAP|sat=SAT|fail=FAIL}=OVERFLOW? write_operation{encoding_offset_value(encoding:string offset:integer value:integer)=SET|encoding_offset_increment(encoding:string offset:integer increment:integer)=INCRBY})}?*"),
    ("bitfield_ro", "key:key#0 encoding_offset(encoding:string offset:integer)=GET?*+"),
    ("bitop", "operation:string destkey:key#0 key:key#1*"),
    ("bitpos", "key:key#0 bit:integer index(start:integer end_index(end:integer index_unit{byte=BYTE|bit=BIT}?)?)?"),
    ("blmove", "source:key#0 destination:key#1 wherefrom{left=LEFT|right=RIGHT} whereto{left=LEFT|right=RIGHT} timeout:double"),
    ("blmpop", "timeout:double numkeys:integer key:key#0* where{left=LEFT|right=RIGHT} count:integer=COUNT?"),
    ("blpop", "key:key#0* timeout:double"),
    ("brpop", "key:key#0* timeout:double"),
    ("brpoplpush", "source:key#0 destination:key#1 timeout:double"),
    ("bzmpop", "timeout:double numkeys:integer key:key#0* where{min=MIN|max=MAX} count:integer=COUNT?"),
    ("bzpopmax", "key:key#0* timeout:double"),
    ("bzpopmin", "key:key#0* timeout:double"),
    ("client|caching", "mode{yes=YES|no=NO}"),
    ("client|kill", "filter{ip:port:string|new-format{client-id:integer=ID?|normal_master_slave_pubsub{normal=NORMAL|master=MASTER|slave=SLAVE|replica=REPLICA|pubsub=PUBSUB}=TYPE?|username:string=USER?|ip:port:string=ADDR?|ip:port:string=LADDR?|yes/no:string=SKIPME?}*}"),
    ("client|list", "normal_master_replica_pubsub{normal=NORMAL|master=MASTER|replica=REPLICA|pubsub=PUBSUB}=TYPE? id(client-id:integer*)=ID?"),
    ("client|maint_notifications", "enabled{on=ON|off=OFF} type{internal-ip=INTERNAL-IP|internal-fqdn=INTERNAL-FQDN|external-ip=EXTERNAL-IP|external-fqdn=EXTERNAL-FQDN|none=NONE}=MOVING-ENDPOINT-TYPE?"),
    ("client|no-evict", "enabled{on=ON|off=OFF}"),
    ("client|no-touch", "enabled{on=ON|off=OFF}"),
    ("client|pause", "timeout:integer mode{write=WRITE|all=ALL}?"),
    ("client|reply", "on_off_skip{on=ON|off=OFF|skip=SKIP}"),
    ("client|setinfo", "attr{libname:string=LIB-NAME|libver:string=LIB-VER}"),
    ("client|setname", "connection-name:string"),
    ("client|tracking", "status{on=ON|off=OFF} client-id:integer=REDIRECT? prefix:string=PREFIX?*+ bcast=BCAST? optin=OPTIN? optout=OPTOUT? noloop=NOLOOP?"),
    ("client|unblock", "client-id:integer timeout_error{timeout=TIMEOUT|error=ERROR}?"),
    ("command|docs", "command-name:string?*"),
    ("command|getkeys", "command:string arg:string?*"),
    ("command|getkeysandflags", "command:string arg:string?*"),
    ("command|info", "command-name:string?*"),
    ("command|list", "filterby{module-name:string=MODULE|category:string=ACLCAT|pattern:pattern=PATTERN}=FILTERBY?"),
    ("config|get", "parameter(parameter:string)*"),
    ("config|set", "parameter_value(parameter:string value:string)*"),
    ("copy", "source:key#0 destination:key#1 destination-db:integer=DB? replace=REPLACE?"),
    ("debug|object", "key:string"),
    ("debug|set-active-expire", "enabled:integer"),
    ("debug|sleep", "seconds:double"),
    ("decr", "key:key#0"),
    ("decrby", "key:key#0 decrement:integer"),
    ("del", "key:key#0*"),
    ("delifeq", "key:key#0 value:string"),
    ("dump", "key:key#0"),
    ("echo", "message:string"),
    ("eval", "script:string numkeys:integer key:key#0?* arg:string?*"),
    ("eval_ro", "script:string numkeys:integer key:key#0?* arg:string?*"),
    ("evalsha", "sha1:string numkeys:integer key:key#0?* arg:string?*"),
    ("evalsha_ro", "sha1:string numkeys:integer key:key#0?* arg:string?*"),
    ("exists", "key:key#0*"),
    ("expire", "key:key#0 seconds:integer condition{nx=NX|xx=XX|gt=GT|lt=LT}?"),
    ("expireat", "key:key#0 unix-time-seconds:unix-time condition{nx=NX|xx=XX|gt=GT|lt=LT}?"),
    ("expiretime", "key:key#0"),
    ("failover", "target(host:string port:integer force=FORCE?)=TO? abort=ABORT? milliseconds:integer=TIMEOUT?"),
    ("fcall", "function:string numkeys:integer key:key#0?* arg:string?*"),
    ("fcall_ro", "function:string numkeys:integer key:key#0?* arg:string?*"),
    ("flushall", "async{async=ASYNC|sync=SYNC}?"),
    ("flushdb", "async{async=ASYNC|sync=SYNC}?"),
    ("function|delete", "library-name:string"),
    ("function|flush", "async{async=ASYNC|sync=SYNC}?"),
    ("function|list", "library-name-pattern:string=LIBRARYNAME? withcode=WITHCODE?"),
    ("function|load", "replace=REPLACE? function-code:string"),
    ("function|restore", "serialized-value:string policy{flush=FLUSH|append=APPEND|replace=REPLACE}?"),
    ("geoadd", "key:key#0 condition{nx=NX|xx=XX}? change=CH? longitude_latitude_member(longitude:double latitude:double member:string)*"),
    ("geodist", "key:key#0 member1:string member2:string unit{m=M|km=KM|ft=FT|mi=MI}?"),
    ("geohash", "key:key#0 member:string*"),
    ("geopos", "key:key#0 member:string*"),
    ("georadius", "key:key#0 longitude:double latitude:double radius:double unit{m=M|km=KM|ft=FT|mi=MI} withcoord=WITHCOORD? withdist=WITHDIST? withhash=WITHHASH? count(count:integer=COUNT any=ANY?)? order{asc=ASC|desc=DESC}? key:key=STORE#1? key:key=STOREDIST#2?"),
    ("georadius_ro", "key:key#0 longitude:double latitude:double radius:double unit{m=M|km=KM|ft=FT|mi=MI} withcoord=WITHCOORD? withdist=WITHDIST? withhash=WITHHASH? count(count:integer=COUNT any=ANY?)? order{asc=ASC|desc=DESC}?"),
    ("georadiusbymember", "key:key#0 member:string radius:double unit{m=M|km=KM|ft=FT|mi=MI} withcoord=WITHCOORD? withdist=WITHDIST? withhash=WITHHASH? count(count:integer=COUNT any=ANY?)? order{asc=ASC|desc=DESC}? key:key=STORE#1? key:key=STOREDIST#2?"),
    ("georadiusbymember_ro", "key:key#0 member:string radius:double unit{m=M|km=KM|ft=FT|mi=MI} withcoord=WITHCOORD? withdist=WITHDIST? withhash=WITHHASH? count(count:integer=COUNT any=ANY?)? order{asc=ASC|desc=DESC}?"),
    ("geosearch", "key:key#0 from{member:string=FROMMEMBER|longitude_latitude(longitude:double latitude:double)=FROMLONLAT} by{circle(radius:double=BYRADIUS unit{m=M|km=KM|ft=FT|mi=MI})|box(width:double=BYBOX height:double unit{m=M|km=KM|ft=FT|mi=MI})} order{asc=ASC|desc=DESC}? count(count:integer=COUNT any=ANY?)? withcoord=WITHCOORD? withdist=WITHDIST? withhash=WITHHASH?"),
    ("geosearchstore", "destination:key#0 source:key#1 from{member:string=FROMMEMBER|longitude_latitude(longitude:double latitude:double)=FROMLONLAT} by{circle(radius:double=BYRADIUS unit{m=M|km=KM|ft=FT|mi=MI})|box(width:double=BYBOX height:double unit{m=M|km=KM|ft=FT|mi=MI})} order{asc=ASC|desc=DESC}? count(count:integer=COUNT any=ANY?)? storedist=STOREDIST?"),
    ("get", "key:key#0"),
    ("getbit", "key:key#0 offset:integer"),
    ("getdel", "key:key#0"),
    ("getex", "key:key#0 expiration{seconds:integer=EX|milliseconds:integer=PX|unix-time-seconds:unix-time=EXAT|unix-time-milliseconds:unix-time=PXAT|persist=PERSIST}?"),
    ("getrange", "key:key#0 start:integer end:integer"),
    ("getset", "key:key#0 value:string"),
    ("hdel", "key:key#0 field:string*"),
    ("hello", "arguments(protover:integer username_password(username:string password:string)=AUTH? clientname:string=SETNAME?)?"),
    ("hexists", "key:key#0 field:string"),
    ("hexpire", "key:key#0 seconds:integer condition{nx=NX|xx=XX|gt=GT|lt=LT}? fields(numfields:integer field:string*)=FIELDS"),
    ("hexpireat", "key:key#0 unix-time-seconds:unix-time condition{nx=NX|xx=XX|gt=GT|lt=LT}? fields(numfields:integer field:string*)=FIELDS"),
    ("hexpiretime", "key:key#0 fields(numfields:integer field:string*)=FIELDS"),
    ("hget", "key:key#0 field:string"),
    ("hgetall", "key:key#0"),
    ("hgetdel", "key:key#0 fields(numfields:integer field:string*)=FIELDS"),
    ("hgetex", "key:key#0 expiration{seconds:integer=EX|milliseconds:integer=PX|unix-time-seconds:unix-time=EXAT|unix-time-milliseconds:unix-time=PXAT|persist=PERSIST}? fields(numfields:integer field:string*)=FIELDS"),
    ("hincrby", "key:key#0 field:string increment:integer"),
    ("hincrbyfloat", "key:key#0 field:string increment:double"),
    ("hkeys", "key:key#0"),
    ("hlen", "key:key#0"),
    ("hmget", "key:key#0 field:string*"),
    ("hmset", "key:key#0 field_value(field:string value:string)*"),
    ("hpersist", "key:key#0 fields(numfields:integer field:string*)=FIELDS"),
    ("hpexpire", "key:key#0 milliseconds:integer condition{nx=NX|xx=XX|gt=GT|lt=LT}? fields(numfields:integer field:string*)=FIELDS"),
    ("hpexpireat", "key:key#0 unix-time-milliseconds:unix-time condition{nx=NX|xx=XX|gt=GT|lt=LT}? fields(numfields:integer field:string*)=FIELDS"),
    ("hpexpiretime", "key:key#0 fields(numfields:integer field:string*)=FIELDS"),
    ("hpttl", "key:key#0 fields(numfields:integer field:string*)=FIELDS"),
    ("hrandfield", "key:key#0 options(count:integer withvalues=WITHVALUES?)?"),
    ("hscan", "key:key#0 cursor:integer pattern:pattern=MATCH? count:integer=COUNT?"),
    ("hset", "key:key#0 field_value(field:string value:string)*"),
    ("hsetex", "key:key#0 condition{fnx=FNX|fxx=FXX}? expiration{seconds:integer=EX|milliseconds:integer=PX|unix-time-seconds:unix-time=EXAT|unix-time-milliseconds:unix-time=PXAT|keepttl=KEEPTTL}? fields(numfields:integer data(field:string value:string)*)=FIELDS"),
    ("hsetnx", "key:key#0 field:string value:string"),
    ("hstrlen", "key:key#0 field:string"),
    ("httl", "key:key#0 fields(numfields:integer field:string*)=FIELDS"),
    ("hvals", "key:key#0"),
    ("incr", "key:key#0"),
    ("incrby", "key:key#0 increment:integer"),
    ("incrbyfloat", "key:key#0 increment:double"),
    ("info", "section:string?*"),
    ("keys", "pattern:pattern"),
    ("latency|graph", "event:string"),
    ("latency|histogram", "command:string?*"),
    ("latency|history", "event:string"),
    ("latency|reset", "event:string?*"),
    ("lcs", "key1:key#0 key2:key#0 len=LEN? idx=IDX? len:integer=MINMATCHLEN? withmatchlen=WITHMATCHLEN?"),
    ("lindex", "key:key#0 index:integer"),
    ("linsert", "key:key#0 where{before=BEFORE|after=AFTER} pivot:string element:string"),
    ("llen", "key:key#0"),
    ("lmove", "source:key#0 destination:key#1 wherefrom{left=LEFT|right=RIGHT} whereto{left=LEFT|right=RIGHT}"),
    ("lmpop", "numkeys:integer key:key#0* where{left=LEFT|right=RIGHT} count:integer=COUNT?"),
    ("lpop", "key:key#0 count:integer?"),
    ("lpos", "key:key#0 element:string rank:integer=RANK? num-matches:integer=COUNT? len:integer=MAXLEN?"),
    ("lpush", "key:key#0 element:string*"),
    ("lpushx", "key:key#0 element:string*"),
    ("lrange", "key:key#0 start:integer stop:integer"),
    ("lrem", "key:key#0 count:integer element:string"),
    ("lset", "key:key#0 index:integer element:string"),
    ("ltrim", "key:key#0 start:integer stop:integer"),
    ("memory|usage", "key:key#0 count:integer=SAMPLES?"),
    ("mget", "key:key#0*"),
    ("module|load", "path:string arg:string?*"),
    ("module|loadex", "path:string configs(name:string value:string)=CONFIG?*+ args(arg:string)=ARGS?*"),
    ("module|unload", "name:string"),
    ("move", "key:key#0 db:integer"),
    ("mset", "key_value(key:key#0 value:string)*"),
    ("msetnx", "key_value(key:key#0 value:string)*"),
    ("object|encoding", "key:key#0"),
    ("object|freq", "key:key#0"),
    ("object|idletime", "key:key#0"),
    ("object|refcount", "key:key#0"),
    ("persist", "key:key#0"),
    ("pexpire", "key:key#0 milliseconds:integer condition{nx=NX|xx=XX|gt=GT|lt=LT}?"),
    ("pexpireat", "key:key#0 unix-time-milliseconds:unix-time condition{nx=NX|xx=XX|gt=GT|lt=LT}?"),
    ("pexpiretime", "key:key#0"),
    ("pfadd", "key:key#0 element:string?*"),
    ("pfcount", "key:key#0*"),
    ("pfdebug", "subcommand:string key:key#0"),
    ("pfmerge", "destkey:key#0 sourcekey:key#1*"),
    ("ping", "message:string?"),
    ("psetex", "key:key#0 milliseconds:integer value:string"),
    ("psubscribe", "pattern(pattern:pattern)*"),
    ("pttl", "key:key#0"),
    ("publish", "channel:string message:string"),
    ("pubsub|channels", "pattern:pattern?"),
    ("pubsub|numsub", "channel:string?*"),
    ("pubsub|shardchannels", "pattern:pattern?"),
    ("pubsub|shardnumsub", "shardchannel:string?*"),
    ("punsubscribe", "pattern:pattern?*"),
    ("rename", "key:key#0 newkey:key#1"),
    ("renamenx", "key:key#0 newkey:key#1"),
    ("replconf", "option_value(option:string value:string)*"),
    ("replicaof", "args{host-port(host:string port:integer)|no-one(no=NO one=ONE)}"),
    ("restore", "key:key#0 ttl:integer serialized-value:string replace=REPLACE? absttl=ABSTTL? seconds:integer=IDLETIME? frequency:integer=FREQ?"),
    ("rpop", "key:key#0 count:integer?"),
    ("rpoplpush", "source:key#0 destination:key#1"),
    ("rpush", "key:key#0 element:string*"),
    ("rpushx", "key:key#0 element:string*"),
    ("sadd", "key:key#0 member:string*"),
    ("scan", "cursor:integer pattern:pattern=MATCH? count:integer=COUNT? type:string=TYPE?"),
    ("scard", "key:key#0"),
    ("script|debug", "mode{yes=YES|sync=SYNC|no=NO}"),
    ("script|exists", "sha1:string*"),
    ("script|flush", "async{async=ASYNC|sync=SYNC}?"),
    ("script|load", "script:string"),
    ("script|show", "sha1:string"),
    ("sdiff", "key:key#0*"),
    ("sdiffstore", "destination:key#0 key:key#1*"),
    ("select", "index:integer"),
    ("set", "key:key#0 value:string condition{nx=NX|xx=XX|comparison-value:string=IFEQ|comparison-value:string=IFNE}? get=GET? expiration{seconds:integer=EX|milliseconds:integer=PX|unix-time-seconds:unix-time=EXAT|unix-time-milliseconds:unix-time=PXAT|keepttl=KEEPTTL}?"),
    ("setbit", "key:key#0 offset:integer value:integer"),
    ("setex", "key:key#0 seconds:integer value:string"),
    ("setnx", "key:key#0 value:string"),
    ("setrange", "key:key#0 offset:integer value:string"),
    ("shutdown", "nosave_save{nosave=NOSAVE|save=SAVE}? now=NOW? force=FORCE? abort=ABORT?"),
    ("sinter", "key:key#0*"),
    ("sintercard", "numkeys:integer key:key#0* limit:integer=LIMIT?"),
    ("sinterstore", "destination:key#0 key:key#1*"),
    ("sismember", "key:key#0 member:string"),
    ("slaveof", "args{host-port(host:string port:integer)|no-one(no=NO one=ONE)}"),
    ("slowlog|get", "count:integer?"),
    ("smembers", "key:key#0"),
    ("smismember", "key:key#0 member:string*"),
    ("smove", "source:key#0 destination:key#1 member:string"),
    ("sort", "key:key#0 pattern:pattern=BY#1? offset_count(offset:integer count:integer)=LIMIT? pattern:pattern=GET#1?*+ order{asc=ASC|desc=DESC}? sorting=ALPHA? destination:key=STORE#2?"),
    ("sort_ro", "key:key#0 pattern:pattern=BY#1? offset_count(offset:integer count:integer)=LIMIT? pattern:pattern=GET#1?*+ order{asc=ASC|desc=DESC}? sorting=ALPHA?"),
    ("spop", "key:key#0 count:integer?"),
    ("spublish", "shardchannel:string message:string"),
    ("srandmember", "key:key#0 count:integer?"),
    ("srem", "key:key#0 member:string*"),
    ("sscan", "key:key#0 cursor:integer pattern:pattern=MATCH? count:integer=COUNT?"),
    ("ssubscribe", "shardchannel:string*"),
    ("strlen", "key:key#0"),
    ("subscribe", "channel:string*"),
    ("substr", "key:key#0 start:integer end:integer"),
    ("sunion", "key:key#0*"),
    ("sunionstore", "destination:key#0 key:key#1*"),
    ("sunsubscribe", "shardchannel:string?*"),
    ("swapdb", "index1:integer index2:integer"),
    ("touch", "key:key#0*"),
    ("ttl", "key:key#0"),
    ("type", "key:key#0"),
    ("unlink", "key:key#0*"),
    ("unsubscribe", "channel:string?*"),
    ("wait", "numreplicas:integer timeout:integer"),
    ("waitaof", "numlocal:integer numreplicas:integer timeout:integer"),
    ("watch", "key:key#0*"),
    ("xack", "key:key#0 group:string id:string*"),
    ("xackdel", "key:key#0 group:string condition{keepref=KEEPREF|delref=DELREF|acked=ACKED}? ids(numids:integer id:string*)=IDS"),
    ("xadd", "key:key#0 nomkstream=NOMKSTREAM? trim(strategy{maxlen=MAXLEN|minid=MINID} operator{equal==|approximately=~}? threshold:string count:integer=LIMIT?)? id_or_auto{auto_id=*|id:string} field_value(field:string value:string)*"),
    ("xautoclaim", "key:key#0 group:string consumer:string min-idle-time:string start:string count:integer=COUNT? justid=JUSTID?"),
    ("xclaim", "key:key#0 group:string consumer:string min-idle-time:string id:string* ms:integer=IDLE? unix-time-milliseconds:unix-time=TIME? count:integer=RETRYCOUNT? force=FORCE? justid=JUSTID? id:string=LASTID?"),
    ("xdel", "key:key#0 id:string*"),
    ("xdelex", "key:key#0 condition{keepref=KEEPREF|delref=DELREF|acked=ACKED}? ids(numids:integer id:string*)=IDS"),
    ("xgroup|create", "key:key#0 groupname:string id{id:string|new_id=$} mkstream=MKSTREAM? entries_read:integer=ENTRIESREAD?"),
    ("xgroup|createconsumer", "key:key#0 groupname:string consumername:string"),
    ("xgroup|delconsumer", "key:key#0 groupname:string consumername:string"),
    ("xgroup|destroy", "key:key#0 groupname:string"),
    ("xgroup|setid", "key:key#0 groupname:string id{id:string|new_id=$} entries_read:integer=ENTRIESREAD?"),
    ("xinfo|consumers", "key:key#0 groupname:string"),
    ("xinfo|groups", "key:key#0"),
    ("xinfo|stream", "key:key#0 full(count:integer=COUNT?)=FULL?"),
    ("xlen", "key:key#0"),
    ("xpending", "key:key#0 group:string filters(min-idle-time:integer=IDLE? start:string end:string count:integer consumer:string?)?"),
    ("xrange", "key:key#0 start:string end:string count:integer=COUNT?"),
    ("xread", "count:integer=COUNT? milliseconds:integer=BLOCK? streams(key:key#0* id:string*)=STREAMS"),
    ("xreadgroup", "group_consumer(group:string consumer:string)=GROUP count:integer=COUNT? milliseconds:integer=BLOCK? noack=NOACK? streams(key:key#0* id:string*)=STREAMS"),
    ("xrevrange", "key:key#0 end:string start:string count:integer=COUNT?"),
    ("xsetid", "key:key#0 last-id:string entries_added:integer=ENTRIESADDED? max_deleted_entry_id:string=MAXDELETEDID?"),
    ("xtrim", "key:key#0 trim(strategy{maxlen=MAXLEN|minid=MINID} operator{equal==|approximately=~}? threshold:string count:integer=LIMIT?)"),
    ("zadd", "key:key#0 condition{nx=NX|xx=XX}? comparison{gt=GT|lt=LT}? change=CH? increment=INCR? score_member(score:double member:string)*"),
    ("zcard", "key:key#0"),
    ("zcount", "key:key#0 min:double max:double"),
    ("zdiff", "numkeys:integer key:key#0* withscores=WITHSCORES?"),
    ("zdiffstore", "destination:key#0 numkeys:integer key:key#1*"),
    ("zincrby", "key:key#0 increment:integer member:string"),
    ("zinter", "numkeys:integer key:key#0* weight:integer=WEIGHTS?* aggregate{sum=SUM|min=MIN|max=MAX}=AGGREGATE? withscores=WITHSCORES?"),
    ("zintercard", "numkeys:integer key:key#0* limit:integer=LIMIT?"),
    ("zinterstore", "destination:key#0 numkeys:integer key:key#1* weight:integer=WEIGHTS?* aggregate{sum=SUM|min=MIN|max=MAX}=AGGREGATE?"),
    ("zlexcount", "key:key#0 min:string max:string"),
    ("zmpop", "numkeys:integer key:key#0* where{min=MIN|max=MAX} count:integer=COUNT?"),
    ("zmscore", "key:key#0 member:string*"),
    ("zpopmax", "key:key#0 count:integer?"),
    ("zpopmin", "key:key#0 count:integer?"),
    ("zrandmember", "key:key#0 options(count:integer withscores=WITHSCORES?)?"),
    ("zrange", "key:key#0 start:string stop:string sortby{byscore=BYSCORE|bylex=BYLEX}? rev=REV? offset_count(offset:integer count:integer)=LIMIT? withscores=WITHSCORES?"),
    ("zrangebylex", "key:key#0 min:string max:string offset_count(offset:integer count:integer)=LIMIT?"),
    ("zrangebyscore", "key:key#0 min:double max:double withscores=WITHSCORES? offset_count(offset:integer count:integer)=LIMIT?"),
    ("zrangestore", "dst:key#0 src:key#1 min:string max:string sortby{byscore=BYSCORE|bylex=BYLEX}? rev=REV? offset_count(offset:integer count:integer)=LIMIT?"),
    ("zrank", "key:key#0 member:string withscore=WITHSCORE?"),
    ("zrem", "key:key#0 member:string*"),
    ("zremrangebylex", "key:key#0 min:string max:string"),
    ("zremrangebyrank", "key:key#0 start:integer stop:integer"),
    ("zremrangebyscore", "key:key#0 min:double max:double"),
    ("zrevrange", "key:key#0 start:integer stop:integer withscores=WITHSCORES?"),
    ("zrevrangebylex", "key:key#0 max:string min:string offset_count(offset:integer count:integer)=LIMIT?"),
    ("zrevrangebyscore", "key:key#0 max:double min:double withscores=WITHSCORES? offset_count(offset:integer count:integer)=LIMIT?"),
    ("zrevrank", "key:key#0 member:string withscore=WITHSCORE?"),
    ("zscan", "key:key#0 cursor:integer pattern:pattern=MATCH? count:integer=COUNT?"),
    ("zscore", "key:key#0 member:string"),
    ("zunion", "numkeys:integer key:key#0* weight:integer=WEIGHTS?* aggregate{sum=SUM|min=MIN|max=MAX}=AGGREGATE? withscores=WITHSCORES?"),
    ("zunionstore", "destination:key#0 numkeys:integer key:key#1* weight:integer=WEIGHTS?* aggregate{sum=SUM|min=MIN|max=MAX}=AGGREGATE?"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::names::find_full;

    #[test]
    fn every_row_belongs_to_a_command_and_is_read_to_its_end() {
        assert!(USAGE.is_sorted_by_key(|(name, _)| *name));
        for (name, usage) in USAGE {
            assert!(find_full(name.as_bytes()).is_some(), "{name}");
            let mut reader = Reader { rest: usage };
            assert!(!reader.list().is_empty() && reader.rest.is_empty(), "{name}: {}", reader.rest);
        }
    }

    #[test]
    fn groups_tokens_and_marks_are_told_apart() {
        let all = arguments("client|kill");
        let [filter] = &all[..] else { panic!("{all:?}") };
        assert_eq!((filter.name, filter.kind, filter.parts.len()), ("filter", "oneof", 2));
        assert_eq!((filter.parts[0].name, filter.parts[0].kind), ("ip:port", "string"));
        assert_eq!(filter.parts[1].flags, ["multiple"]);
        let expiration = arguments("set").pop().expect("it has arguments");
        assert_eq!((expiration.kind, expiration.flags), ("oneof", vec!["optional"]));
        assert_eq!(expiration.parts[0].token, Some("EX"));
        assert_eq!(arguments("mget")[0].key_spec, Some(0));
        assert!(arguments("ping").len() == 1 && arguments("nothing").is_empty());
    }
}
