/* The beacon protocol's states (docs/beacon-protocol.md): one node, two gateways, a second node, and a broker that holds,
 * drops, repeats, reorders and moves between topics whatever it has seen, and forges what stolen keys allow.
 *
 * Cryptography is a record of who signed what for whom: a receiver accepts when the signer is the one it expects and the
 * signed kind, gateway and node are those of the topic, unless a check is left out (-DWITHOUT_…, to see the assertions fail).
 * Time is a small number; key s of gateway 0 is valid in [FROM(s), TO(s)].
 */
#ifndef HORIZON
#define HORIZON 4 /* the last time */
#define SERIALS 3
#define NONCES 2
#endif

#define FROM(s) (2 * ((s) - 1))
#define TO(s) (2 * ((s) - 1) + 2)

/* Kinds, and who signs. */
#define BEACON 0
#define KEY 1
#define REQ 2
#define RESP 3

#define ROOT 0
#define ONLINE 1
#define NODEKEY 2
#define BOGUS 3

#define NONE 255

/* The gateway. */
byte now = 0;
byte serial = 1;          /* of the current delegation */
byte began[5];            /* time at which each serial became current; it made a beacon at every time until the next */
#define MADE(s, t) ((s) <= serial && began[s] <= (t) && (t) <= now && ((s) == serial || (t) <= began[(s) + 1]) && FROM(s) <= (t) && (t) <= TO(s))
byte answered_at[4] = NONE; /* time of the answer to each nonce of node 0 */
byte answered_serial[4];
byte asked = 0;           /* nonces that node 0 has used: 0 … asked − 1 */

/* The thief. */
byte stolen = 0; /* serial of the stolen online key of gateway 0; 0: none */

/* The node. */
byte seen = 0;    /* the highest serial, in flash */
byte held = 0;    /* the serial of the key that it uses; 0: none */
byte floor_ = 0;  /* in flash */
byte lo = 0;
byte open_ = NONE; /* the open nonce */
byte ask_floor = 0; /* the floor when the open request was sent */
bool poisoned = false; /* a message of the thief's was accepted since the node was enrolled */
byte closed = 0;       /* bit n: nonce n was answered */
byte enrolments = 0;

/* A message on its way, chosen by the broker. */
byte kind, gateway, node, signer, key, t, nonce, ser, topic;
bool exists, by_thief;

inline pick(v, lowest, highest) {
  v = lowest;
  do
  :: v < highest -> v++
  :: break
  od
}

/* choose takes any message that exists: one made by its owner, or one that a thief can make. */
inline choose() {
  if
  :: kind = BEACON; signer = ONLINE; pick(key, 1, SERIALS); pick(t, 0, HORIZON); exists = MADE(key, t)
  :: kind = BEACON; signer = ONLINE; gateway = 1; key = 1; pick(t, 0, HORIZON); exists = (t <= now)
  :: kind = KEY; signer = ROOT; pick(ser, 1, SERIALS); exists = (ser <= serial)
  :: kind = KEY; signer = ROOT; gateway = 1; pick(ser, 1, SERIALS); exists = true
  :: kind = RESP; signer = NODEKEY; pick(nonce, 0, NONCES - 1); t = answered_at[nonce]; ser = answered_serial[nonce]; exists = (t != NONE)
  :: kind = RESP; signer = NODEKEY; node = 1; pick(nonce, 0, NONCES - 1); pick(t, 0, HORIZON); ser = serial; exists = (t <= now)
  :: kind = REQ; signer = NODEKEY; pick(nonce, 0, NONCES - 1); ser = 1; exists = (nonce < asked)
  :: stolen != 0 -> by_thief = true; signer = ONLINE; key = stolen; pick(kind, BEACON, RESP); pick(t, 0, HORIZON); ser = SERIALS; nonce = open_; exists = true
  :: signer = BOGUS; key = held; pick(kind, BEACON, RESP); pick(t, 0, HORIZON); ser = SERIALS; nonce = open_; exists = true
  fi
}

/* What a receiver demands; each can be left out. */
#ifdef WITHOUT_KIND
#define KIND_OK true
#else
#define KIND_OK (kind == topic)
#endif
#ifdef WITHOUT_GATEWAY
#define GATEWAY_OK true
#define KEY_OK(s) (key == (s) || gateway == 1) /* without it a node would take the other gateway's keys as well */
#else
#define GATEWAY_OK (gateway == 0)
#define KEY_OK(s) (key == (s))
#endif
#ifdef WITHOUT_NODE
#define NODE_OK true
#else
#define NODE_OK (node == 0)
#endif
#ifdef WITHOUT_VALIDITY
#define VALID true
#else
#define VALID (FROM(held) <= t && t <= TO(held))
#endif
#ifdef WITHOUT_SERIAL
#define SERIAL_OK true
#else
#define SERIAL_OK (ser >= seen)
#endif
#ifdef WITHOUT_NONCE
#define NONCE_OK (open_ != NONE)
#else
#define NONCE_OK (nonce == open_)
#endif
#ifdef WITHOUT_SIGNATURE
#define BY(who) true
#else
#define BY(who) (signer == who)
#endif

#ifdef FLOOR_OF_NOW /* a mistake: a beacon may raise the floor while the answer is on its way */
#define ASKED_FLOOR floor_
#else
#define ASKED_FLOOR ask_floor
#endif

inline saw() {
  if
  :: ser > seen ->
     seen = ser;
     if
     :: held != 0 && held < seen -> held = 0
     :: else
     fi
  :: else
  fi
}

inline raise_floor() {
  if
  :: lo > floor_ ->
     floor_ = lo;
     if
     :: held != 0 && floor_ > TO(held) -> floor_ = TO(held)
     :: else
     fi
  :: else
  fi
}

/* deliver hands any message that exists to the node, on any topic. */
inline deliver() {
  choose();
#ifdef WITHOUT_KIND
  pick(topic, BEACON, RESP);
#else
  if
  :: topic = kind
  :: topic = (kind + 1) % 4
  fi;
#endif
  if
  :: exists && topic == BEACON && held != 0 && KIND_OK && GATEWAY_OK && BY(ONLINE) && KEY_OK(held) && VALID && t >= floor_ ->
     assert(kind == BEACON);
     assert(gateway == 0);
     assert(signer == ONLINE && key == held);
     assert(FROM(key) <= t && t <= TO(key));
     assert(key >= seen); /* a key under a lower serial than was seen counts no more: recovery after a theft */
     if
     :: by_thief -> poisoned = true
     :: else
     fi;
     if
     :: t > lo -> lo = t
     :: else
     fi;
     raise_floor()
  :: exists && topic == KEY && KIND_OK && GATEWAY_OK && BY(ROOT) && SERIAL_OK ->
     assert(kind == KEY);
     assert(gateway == 0);
     assert(signer == ROOT && ser <= serial);
     assert(ser >= seen);
     saw();
     held = ser
  :: exists && topic == RESP && open_ != NONE && KIND_OK && GATEWAY_OK && NODE_OK && BY(NODEKEY) && NONCE_OK ->
     assert(kind == RESP);
     assert(gateway == 0);
     assert(node == 0);
     assert(signer == NODEKEY);
     assert(nonce == open_);                /* of the request that is open */
     assert((closed & (1 << nonce)) == 0);  /* and once */
     closed = closed | (1 << nonce);
     open_ = NONE;
     saw();
     if
     :: t < ASKED_FLOOR -> assert(poisoned) /* the floor alarm: only a lie can cause it */
     :: else ->
        if
        :: lo > now -> lo = t /* contradiction: the interval begins anew */
        :: t > lo -> lo = t
        :: else
        fi;
        raise_floor()
     fi
  :: else
  fi;
  kind = 0; gateway = 0; node = 0; signer = 0; key = 0; t = 0; nonce = 0; ser = 0; topic = 0; exists = false; by_thief = false
}

active proctype world() {
end:
  do
  :: atomic { now < HORIZON -> now++ }
  :: atomic { serial < SERIALS && now >= FROM(serial + 1) -> serial++; began[serial] = now }
  :: atomic { asked < NONCES -> open_ = asked; asked++; ask_floor = floor_ } /* the node asks; its last request is closed */
  :: atomic { /* the gateway answers what the broker brings, once */
       pick(nonce, 0, NONCES - 1);
       if
       :: nonce < asked && answered_at[nonce] == NONE -> answered_at[nonce] = now; answered_serial[nonce] = serial
       :: else
       fi;
       nonce = 0
     }
  :: atomic { stolen == 0 -> stolen = serial } /* the current online key is copied */
  :: atomic { deliver() }
  :: atomic { /* a reboot keeps flash; nonces go on, for their numbers were reserved */
       lo = 0; held = 0; open_ = NONE; ask_floor = 0
     }
#ifdef FLASH_LOST
  :: atomic { /* a reboot without flash: serial and floor are gone; the generation of the node key is another one */
       lo = 0; held = 0; open_ = NONE; ask_floor = 0; seen = 0; floor_ = 0
     }
#endif
  :: atomic { enrolments < 1 -> /* a new enrolment clears the floor, and what the thief did */
       enrolments++; floor_ = 0; lo = 0; held = 0; seen = 0; open_ = NONE; ask_floor = 0; poisoned = false; stolen = 0
     }
  od
}

/* Without a lie, what the node believes is true. */
#define BELIEF_IS_TRUE (poisoned || (lo <= now && floor_ <= now))
/* Whatever a thief does, the floor stays inside the validity of keys that were delegated. */
#define FLOOR_IS_BOUNDED (floor_ <= TO(SERIALS))
/* A key in use was delegated, and no lower serial than the highest seen is used. */
#define KEY_IS_RIGHT (held == 0 || (held == seen && held <= serial))

ltl promise { [] (BELIEF_IS_TRUE && FLOOR_IS_BOUNDED && KEY_IS_RIGHT) }
