"""
Every limit of the overlay has a name here, and the attack or failure that it stops.

Times are seconds, sizes bytes, rates per second. `docs/security.md` explains how they work together.
"""
from __future__ import annotations

from typing import Final

MAX_DATAGRAM: Final = 1400
"""Larger datagrams are dropped unread: they would be cut into IP fragments, and one lost fragment loses all."""

MAX_NICKNAME: Final = 64
"""Bytes of UTF-8. A name is for a table row; more would be a way to write on other people's screens."""

MAX_CLIENT_ADDRESSES: Final = 6
"""Addresses of the hosting client in one introduction: keeps a RESPONSE smaller than the CHALLENGE it answers."""

CHALLENGE_SIZE: Final = 600
"""A CHALLENGE is padded to this. No answer to it is larger, so nobody gains by having us answer to a victim."""

# --- Signature checks. One costs 70 microseconds of a core [measured], sending a forged datagram costs its sender 2.

STAMP_BITS: Final = 10
"""Work in a stranger's datagram: 2^10 hashes, a millisecond for its sender, one hash for us. A flood of 20,000
scrambled datagrams per second carries none; one that carries them costs its sender ten cores of Python or three of C.
Not more, because a node introduces itself every 5 s on each link, on the smallest NAS too."""

REPEAT_BITS: Final = 1 << 21
REPEAT_ENTRIES: Final = 131_072
REPEAT_MEMORY: Final = 60.0
"""Stamped datagrams of strangers are remembered in a Bloom filter of so many bits, for so many entries or seconds per
generation (two are kept): 512 KiB in all, 1.4 % false positives at worst. Who repeats prepared datagrams is found out
at the second turn; to prepare that many takes two minutes of work."""

INTRODUCTIONS_PER_SECOND: Final = 600.0
INTRODUCTIONS_BURST: Final = 1000.0
"""Signatures checked on stamped multicast from strangers. 5,000 honest nodes send at most 42 per second."""

SOURCE_PER_SECOND: Final = 32.0
SOURCE_BURST: Final = 96.0
"""Signatures checked per source address: one noisy machine cannot use up what is there for all. Not smaller, because
several nodes may share a machine."""

SOURCES_REMEMBERED: Final = 4096
"""Per-source budgets kept, least recently used go first: invented source addresses cost no memory."""

PEER_PER_SECOND: Final = 8.0
PEER_BURST: Final = 32.0
"""Signatures checked per verified peer on multicast. Who forges a peer's datagrams uses up that budget only; the peer
stays alive by unicast probes, which carry a guard that a forger cannot make."""

CHALLENGES_PER_SECOND: Final = 300.0
CHALLENGES_BURST: Final = 600.0
"""The same for stamped challenges."""

HINTS_PER_SECOND: Final = 20.0
HINTS_BURST: Final = 40.0
"""Signatures checked on unicast that only a peer would send, but one that we do not hold as verified (any more)."""

# --- What others can make us send.

TARGET_PER_SECOND: Final = 2.0
TARGET_BURST: Final = 32.0
"""Challenges sent to an address not verified yet, whoever names it, with however many keys: a forged introduction
that names a victim must not make the LAN shoot at it. One heard introduction causes at most three. Not smaller,
because several nodes may start at once on one machine."""

TARGETS_REMEMBERED: Final = 4096
"""Addresses with a budget of their own; least recently used go first."""

UNVERIFIED_SENDS_PER_SECOND: Final = 100.0
UNVERIFIED_SENDS_BURST: Final = 200.0
"""Challenges to all unverified addresses together, and as many responses. Where nobody has the address, the kernel asks
for it by broadcast for 3 s and keeps the datagram: 100 a second are 300 neighbours asked for, well below the 1,024 that
a Linux machine can hold; more would disturb the whole machine and the LAN [measured]. For the same reason there is no
stateless cookie (DTLS, IKEv2) here: answers to invented addresses of our own link are what hurts most."""

CHALLENGED_MEMORY: Final = 10.0
"""Seconds that somebody who was challenged comes last when that budget runs low."""

ANSWERS_PER_PEER_PER_SECOND: Final = 4.0
ANSWERS_PER_PEER_BURST: Final = 12.0
"""Answers (to solicitations) that one verified peer can ask of us."""

# --- Announcements.

MAX_ANNOUNCEMENT: Final = 256 * 1024
"""Bytes of packed values. What is larger is a file, not an announcement to everybody."""

MAX_VALUES: Final = 65_536
"""Values in one announcement, at all depths together: a value of one byte takes 8 to 64 bytes of memory."""

MAX_VALUE_DEPTH: Final = 16
"""Tuples in tuples; the outermost is the first. A chain of 50,000 would overflow the stack of who reads it."""

MAX_INTEGER: Final = 1024
"""Bytes of one integer: 2,466 digits. Python takes quadratic time to write larger ones, and refuses above 4,300."""

FRAGMENTS_PER_SECOND: Final = 600.0
FRAGMENTS_BURST: Final = 1000.0
"""Signatures checked on multicast fragments in the name and from the address of one verified peer. Apart from
PEER_PER_SECOND, so that who floods with forged fragments leaves the peer's introductions alone. A sender keeps below
(ANNOUNCE_PER_SECOND and REPAIRS_PER_SECOND together)."""

ALL_FRAGMENTS_PER_SECOND: Final = 1500.0
ALL_FRAGMENTS_BURST: Final = 3000.0
"""The same in the names of all peers together: 10 % of a core."""

PAIR_FRAGMENTS_PER_SECOND: Final = 400.0
PAIR_FRAGMENTS_BURST: Final = 600.0
"""Signatures checked on fragments sent to us alone, by one verified peer under the guard of the pair: a repair gets
through whoever forges what by multicast."""

ASKS_PER_SECOND: Final = 50.0
ASKS_BURST: Final = 100.0
"""Signatures checked on what one verified peer asks of us, under the guard of the pair. Receivers keep to 0.8 times
that, whatever a hostile sender lets them miss."""

MAX_ASSEMBLIES_PER_PEER: Final = 128
MAX_ASSEMBLY_BYTES_PER_PEER: Final = 1 << 20
MAX_ASSEMBLY_BYTES: Final = 16 << 20
"""Announcements of which fragments are missing, per sender and all together. Bytes are those that came, and
ASSEMBLY_COST for each. Endless first fragments push out older announcements of the same sender; when all together
take too much, the sender that holds the most loses its oldest."""

ASSEMBLY_COST: Final = 1024
"""Bytes that an announcement of which little came counts for besides its content."""

ASSEMBLY_LIFETIME: Final = 12.0
"""Seconds from the first fragment until an announcement is given up. Shorter than its sender keeps it."""

ASK_QUIET: Final = 0.05
ASK_GROWTH: Final = 1.4
MAX_ASK_WAIT: Final = 0.6
ASK_TRIES: Final = 16
"""A receiver asks for missing fragments when none came for ASK_QUIET; each time it waits longer, and so many times at
most: 10 s in all. 40 % loss both ways leaves 233 fragments incomplete once in some thousand times."""

ASK_SPREAD: Final = 0.001
MAX_ASK_SPREAD: Final = 0.25
"""All who miss something ask within a random time up to N times this, and at least 20 ms."""

ANNOUNCE_BURST: Final = 8
ANNOUNCE_GAP: Final = 0.005
"""So many fragments leave at once, then nothing for so long: 18 Mbit/s at most. A switch, an access point and the
receive buffer of a phone take eight datagrams; two hundred at once they do not."""

ANNOUNCE_PER_SECOND: Final = 300.0
ANNOUNCE_TOKENS: Final = 480.0
"""Fragments sent first, and trailers: two announcements of the largest size at full pace, then 3.4 Mbit/s. Nobody's
program makes us drown the LAN, and receivers' FRAGMENTS_PER_SECOND is never used up by honest senders."""

MAX_KEPT_BYTES: Final = 4 << 20
MAX_KEPT: Final = 256
KEPT_LIFETIME: Final = 15.0
"""What was announced is kept for those who miss something, so many bytes, announcements and seconds (after the last
fragment left)."""

TRAILER_TIMES: Final = (0.02, 0.25, 1.0)
"""When, after the last fragment, it is said by multicast what was announced: who missed all of it asks then."""

MAX_UNICAST_TRAILERS: Final = 64
UNICAST_TRAILERS_PER_SECOND: Final = 200.0
UNICAST_TRAILERS_BURST: Final = 400.0
"""The second time each peer is told by unicast too, when there are no more peers than this, and so many at most."""

REPAIR_GATHER: Final = 0.015
"""Seconds that a repair waits for others who miss the same."""

REPAIRS_PER_SECOND: Final = 300.0
REPAIRS_BURST: Final = 480.0
"""Fragments sent again, whoever asks: 3.4 Mbit/s at most."""

REPAIR_SHARE: Final = 2
REPAIR_LEAST: Final = 16
"""One peer gets so many times the fragments of one announcement again, and so many more: a peer that asks for ever is
told no. 40 % loss takes 0.7 times."""

# --- Ping.

PINGS_PER_SECOND: Final = 20.0
PINGS_BURST: Final = 40.0
"""Multicast pings of one verified peer that we check and answer, and answers of one peer to ours that we check. Apart
from PEER_PER_SECOND, so that pings leave introductions alone. Our own leave at half of this, all together, so that
no honest node runs into it, nor by its probes beside them into PEER_PER_SECOND."""

ALL_PINGS_PER_SECOND: Final = 200.0
ALL_PINGS_BURST: Final = 400.0
"""Multicast pings of all peers together that we check and answer: 2 % of a core."""

PING_SPREAD: Final = 0.001
MAX_PING_SPREAD: Final = 10.0
"""When all are pinged they answer within a random time up to N times this, so that the asker gets 1,000 answers a
second at most; it sends the next ping when that time is over."""

PING_PATIENCE: Final = 1.0
"""Seconds on the way after which an answer to a ping counts as lost. Wi-Fi power save takes up to 0.3."""

MAX_PING_RUNS: Final = 8
MAX_PING_COUNT: Final = 100
"""Series of pings under way at once, and pings in one: 800 that wait for answers at most."""

PINGS_ANSWERED_REMEMBERED: Final = 4096
"""Pings answered lately: one that comes on two interfaces is answered once."""

# --- State.

MAX_PEERS: Final = 8192
"""Verified peers held. Beyond the largest LAN that one multicast domain bears; about 2 KB each."""

MAX_KEYS_PER_ADDRESS: Final = 64
"""Verified keys on one address: several users of a machine yes, one machine that fills the table no."""

MAX_PENDING_CHALLENGES: Final = 2048
"""Challenges of ours that wait for an answer, about 300 bytes each."""

PENDING_LIFETIME: Final = 2.0
"""A RESPONSE later than this is not for us any more. On a LAN it takes milliseconds; Wi-Fi power save up to 0.3 s."""

SECRET_LIFETIME: Final = 30.0
"""Responder nonces are keyed hashes under a secret that changes this often (the previous one still counts), so they are
worth nothing after a minute at most, and need no memory until they come back."""

MAX_USED_NONCES: Final = 16_384
"""Responder nonces already redeemed, per secret. Each counts once: a recorded CONFIRM cannot bring back a peer that
said goodbye since. The signature budgets allow 12,000 in 30 s."""

REPLAY_WINDOW: Final = 1024
"""Sequence numbers told apart behind the highest one seen, per peer: several interfaces deliver out of order."""

MAX_PROBES_WAITING: Final = 8192
"""Probes of ours that wait for an answer."""

MAX_MEASURED: Final = 64
ROUND_TRIPS_PER_SECOND: Final = 6.0
ROUND_TRIPS_BURST: Final = 16.0
"""Round trips that are measured at once for those above, in all, and how often of one peer: with the answers when it
measures us too that is below what either checks (twice PEER_PER_SECOND), so that nobody who is there seems gone."""

# --- Pace.

PHI: Final = 10.0
"""Introductions per second on the whole LAN that we aim at (RTCP, RFC 3550 section 6.2, has the same idea)."""

MIN_INTERVAL: Final = 5.0
MAX_INTERVAL: Final = 135.0
"""Bounds of the time between two introductions of one node, as announced: the longest. On average it is 0.9 of it,
121.5 s, so that 2,400 nodes send fewer than 20 per second."""

CROWD_GROWTH: Final = 1.5
"""An interval that grew by more than this since the last introduction: so many came that waves are to be broken up."""

LEAST_ANNOUNCED_INTERVAL: Final = 0.2
MOST_ANNOUNCED_INTERVAL: Final = 600.0
"""What we believe when others announce their interval: it sets when we probe, and when we forget them."""

EXPIRY_INTERVALS: Final = 3.0
PROBE_AFTER_INTERVALS: Final = 1.5
PROBES_PER_INTERVAL: Final = 20.0
"""A path silent for 1.5 announced intervals is probed by unicast, 20 times an interval, and forgotten after 3. With
40 % loss both ways all 30 probes fail once in 650,000 times, so nobody flaps; a dead node is gone in 3 intervals."""

LEAST_PROBE_GAP: Final = 0.1
"""Shortest time between two probes of one path."""

BURST_TIMES: Final = (0.0, 0.1, 0.3, 0.7, 1.5, 3.0)
"""When a newcomer introduces itself after its start: 40 % loss leaves 0.4 % unheard, and a flood hears it knock
twice."""

LINK_BURST_TIMES: Final = (0.0, 0.2, 0.8)
"""The same on an interface or address that appears later."""

CHALLENGE_SPREAD: Final = 0.005
MANY_CHALLENGERS: Final = 400
CHALLENGE_SPREAD_OF_MANY: Final = 0.0125
"""All who hear a newcomer challenge it within a random time up to N times the first, so it gets 200 a second at most,
for 2 s; what N exceeds the second by counts for the third: 80 a second, of which it can answer all
(UNVERIFIED_SENDS_PER_SECOND)."""

ANSWER_SPREAD: Final = 0.002
MAX_ANSWER_SPREAD: Final = 10.0
"""The same for answers to a solicitation."""

YIELD_TIME: Final = 0.05
"""When two nodes may challenge each other, the one with the higher key waits this long for the other."""

CHALLENGE_AGAIN: Final = (0.25, 0.75)
"""When an unanswered CHALLENGE is repeated, within the same budget: 40 % loss both ways leaves 26 % unanswered."""

CHALLENGE_PATIENCE: Final = 1.0
"""No new CHALLENGE to the same peer on the same link within this time, whatever it sends meanwhile."""

CONFIRM_WAIT: Final = 0.3
CONFIRM_TRIES: Final = 8
"""The responder probes as soon as it accepted our CONFIRM. If we do not hear it so soon, one of them got lost:
again."""

# --- Crowds, and pages of introductions.

ENOUGH_VERIFIED: Final = 100
BURST_AT_LEAST: Final = 2
"""A newcomer that verified so many since its start leaves out the rest of its first introductions, but for so many:
when 5,000 start together they need not all say it six times (Trickle, RFC 6206, has the idea)."""

VERIFIED_PER_SECOND: Final = 20.0
VERIFIED_BURST: Final = 64.0
"""A node challenges nobody while it was verified with more than this, on either side: a crowd that starts together
takes its time, 50,000 exchanges per second among 5,000. Only what succeeds counts, so who invents strangers delays
nobody."""

FEW_WANTED: Final = 16
MOST_WANTED: Final = 400
WANTED_MEMORY: Final = 0.5
"""Strangers' addresses heard in the last so many seconds count like verified ones when it is drawn how long to wait
with a challenge, less the first and up to the second: so the first second of a crowd is spread, too, and eight nodes
that start at once wait for nothing. Who invents strangers delays others by 2 s at most."""

MAX_WANTED: Final = 8192
MAX_WANTED_PER_ADDRESS: Final = 64
"""Whom we heard and want to challenge, in all and at one address, some 300 bytes each: 10,000 keys at one address take
up 64 places."""

MAX_HEARD: Final = 8192
"""Introductions kept, 200 to 350 bytes each, of those that are not verified yet: once they are, they go into our
pages."""

PULL_TIMES: Final = (0.5, 2.0, 6.0, 20.0, 60.0, 180.0)
"""When, after its start, a node looks whether there must be many more than it knows of, and pulls if so."""

PULL_ABOVE: Final = 64
PULL_FACTOR: Final = 1.25
"""It does when its peers' intervals (their median: one that lies does not matter) speak of more than so many nodes, and
of so many times more than it knows. On a small LAN pulling costs nothing."""

PULLS_AT_ONCE: Final = 2
MAX_PULLS: Final = 64
PULL_PATIENCE: Final = 0.6
"""Pulls under way at once, in one turn in all (5,000 nodes take 14 when nothing is lost), and seconds without a page
after which another peer is asked for the rest."""

MAX_PAGES: Final = 64
MAX_PAGE_INTRODUCTIONS: Final = 7
"""Pages that one PULL brings, and introductions in one page: no relayer speaks for more than 448 nodes at a time."""

PAGE_BURST: Final = 8
PAGE_GAP: Final = 0.02
PAGES_PER_ASKER: Final = 50.0
PAGES_PER_SECOND: Final = 200.0
MAX_PULLS_SERVED: Final = 32
"""So many pages leave at once, then none for so long; 50 a second to one asker, 200 to all, 2.2 Mbit/s; and so many
askers are served at a time."""

PULLS_PER_SECOND: Final = 2.0
PULLS_BURST: Final = 8.0
"""Pulls of one peer that we check and serve."""

PAGES_CHECKED_PER_SECOND: Final = 100.0
PAGES_CHECKED_BURST: Final = 80.0
"""Pages of one peer that we check: only those of a pull of ours, each once."""

PAGED_PER_SECOND: Final = 600.0
PAGED_BURST: Final = 1000.0
"""Signatures checked on introductions in pages: 4 % of a core. Only on those that are stamped, on the link and news."""

MAX_CANDIDATES: Final = 8192
MAX_CANDIDATES_PER_RELAYER: Final = 512
MAX_CANDIDATES_PER_ADDRESS: Final = 16
"""Nodes known from pages and not verified, about 700 bytes each: in all, of one relayer, at one address."""

CANDIDATE_GRACE: Final = 2.0
CANDIDATES_PER_SECOND: Final = 10.0
"""Candidates challenged per second, once those who heard us had their time to challenge us, and so long more."""

MAX_FAILED_CANDIDATES: Final = 4096
"""Candidates remembered that did not answer: the same introduction of a node that left counts no second time."""

WANTED_NOW_PER_SECOND: Final = 5.0
WANTED_NOW_BURST: Final = 10.0
"""Candidates challenged at once because somebody asks for them."""

# --- Groups.

GROUP_KEY_PASSES: Final = 4
GROUP_KEY_MEMORY: Final = 64 << 20
"""Work (argon2id) between a passphrase and the key of its group: a tenth of a second and 64 MiB, once for a member, and
again for each guess of whoever recorded the LAN and tries passphrases at home. Not more: the smallest NAS."""

MAX_SEAL_KEYS: Final = 4096
"""Keys kept for the addresses that others seal from; least recently used go first. To work one out again takes a
microsecond, and only what opened is kept: invented addresses push nobody out."""

FOREIGN_SEAL_GAP: Final = 600.0
"""Seconds between two log lines that somebody here seals with another passphrase: whoever wants can make us say it."""

FOREIGN_SEAL_MEMORY: Final = 120.0
"""Seconds that the status and the doctor go on saying so after the last such datagram. The longest interval between
introductions (MAX_INTERVAL)."""

# --- Friends.

MAX_SERIAL: Final = (1 << 63) - 1
"""Largest serial of a verdict: what a database keeps in a signed integer."""

FRIEND_DELAY: Final = 0.05
"""Seconds from the verification of a peer until we compare notes with it: its CONFIRM or PROBE is on the way."""

FRIEND_AGAIN: Final = 0.3
FRIEND_AGAIN_GROWTH: Final = 1.5
FRIEND_AGAIN_MOST: Final = 30.0
"""A verdict that the other does not show to know is told again after 0.3 s, then 1.5 times as long each time, 30 s at
most: at 40 % loss both ways one of nine tries in the first 15 s succeeds 98 times of 100, and who is not answered (too
many asks wait there) makes no noise."""

FRIENDS_PER_SECOND: Final = 2.0
FRIENDS_BURST: Final = 16.0
"""FRIENDs that one verified peer can make us check, keep and answer. Honest ones send one or two per decision."""

ALL_FRIENDS_PER_SECOND: Final = 20.0
ALL_FRIENDS_BURST: Final = 60.0
"""The same for all whom the user has not chosen together: each may cost a write to the disk. Those asked or accepted
have only their own budget, so that no crowd of strangers keeps friends from agreeing."""

MAX_ASKS_WAITING: Final = 128
"""Asks of others that wait for the user. Further ones are dropped and not answered, so an honest asker tries again:
a newer ask must not push out an older one, or who has thousands of keys empties the list again and again. Only an ask
of somebody who is gone makes room for one who is here, or a spammer that left would keep it full for ever."""

MAX_ASKS_PER_ADDRESS: Final = 8
"""Of them, from peers at one IP address at a time: one machine does not fill the list."""

# --- Throughput by packet train.

TRAIN_SIZE: Final = 1358
"""Bytes of one packet of a train: MAX_DATAGRAM less what sealing adds, so that figures do not depend on it."""

LEAST_TRAIN_SIZE: Final = 64
"""Smaller packets would measure the receiver's processor instead of the link, and make it work more per byte."""

MAX_TRAIN_RATE: Final = 1e9
"""Bits per second at which a train is sent at most, and shown at most: beyond this Python measures itself, whatever a
peer reports."""

TRAIN_PACKETS: Final = (64, 768, 3072)
"""Packets at most in the first, second and third train of a measurement: 87 KB to learn how fast the link is about,
1 MB and 4 MB to measure. More would be felt by everybody on the same Wi-Fi."""

TRAIN_TIME: Final = 0.2
LEAST_TRAIN_PACKETS: Final = 32
TRAIN_EXCESS: Final = 1.5
"""The second and third train last TRAIN_TIME seconds at TRAIN_EXCESS times the rate measured before, within the bounds
above: enough to fill the narrowest link, not to drown it."""

LEAST_TRAIN_RATE: Final = 250e3
"""Bits per second at which a train is sent at least: a peer that reports next to nothing must not make it last."""

TRAIN_SLOWER: Final = 20.0
"""When nobody got enough of a train to tell, the next one is so many times slower: in front of a link of 1 Mbit/s may
be room for four packets."""

TRAIN_OFFERED: Final = 1.15
TRAIN_SAME: Final = 0.1
TRAINS_AGAIN: Final = 2
"""A link was measured when a train of so many times its rate gave the same as the one before, up to this share. Else
the train is sent again, so often at most: a sender that had no processor must not take itself for the link."""

TRAIN_NOTICE: Final = (0.0, 0.03, 0.06)
"""When, in seconds, it is said that a train is to begin; it leaves after the last. 40 % loss leaves 6 % untold."""

TRAIN_SETTLE: Final = (0.1, 0.25, 0.5)
"""When, after the last packet, the key is disclosed: the queue in front of a slow link must have run empty by then."""

TRAIN_REPORT_SPREAD: Final = 1.0
"""Longest time (seconds) within which all who took part report; they use PING_SPREAD per peer."""

TRAIN_REPORT_PATIENCE: Final = 0.5
"""Seconds that reports are awaited after that."""

TRAIN_LIFETIME: Final = 3.0
"""Seconds after which a train that was begun and not ended is forgotten, and one being sent counts as sent: nobody
keeps a receiver busy by beginning."""

TRAIN_PAUSE: Final = 3.0
"""Seconds between two measurements of this node. At most a twentieth of a gigabit link over time."""

TRAIN_SPARE: Final = 2
"""A receiver keeps so many times the packets announced: forged ones take room until the key tells them apart. With the
largest train that is 6,144 of some 250 bytes."""

LEAST_TRAIN_COUNT: Final = 8
"""Fewer packets in the measured part tell nothing."""

TRAINS_TAKEN_PER_SECOND: Final = 1.0
TRAINS_TAKEN_BURST: Final = 12.0
ALL_TRAINS_TAKEN_PER_SECOND: Final = 2.0
ALL_TRAINS_TAKEN_BURST: Final = 24.0
"""Trains of one peer, and of all, that a receiver takes part in, one at a time. A measurement takes three to
six on each link; a peer that begins a thousand gets a word with us as often as this."""

TRAINS_PER_SECOND: Final = 8.0
TRAINS_BURST: Final = 48.0
ALL_TRAINS_PER_SECOND: Final = 32.0
ALL_TRAINS_BURST: Final = 128.0
"""Signatures checked on what begins and ends trains, per peer and in all names, and on reports per peer, apart from
PEER_PER_SECOND. A measurement takes 18 to 36."""

TRAIN_REPORTS_REMEMBERED: Final = 32
TRAIN_REPORT_TIMES: Final = 3
"""Reports kept, to be sent again when the end of a train is told again, and how often each is sent."""

# --- Search.

MAX_QUERY: Final = 128
"""Bytes of UTF-8 in a query: more is no search, and each word costs the answerer's index."""

MAX_RESULT_NAME: Final = 200
"""Bytes of UTF-8 of a name in a result. Longer ones are cut: a name is for a table row."""

MAX_RESULT_SIZE: Final = (1 << 63) - 1
"""Bytes that a result may claim to have: what a database keeps in a signed integer."""

MAX_ANSWER_RESULTS: Final = 50
MAX_ANSWER_PAGES: Final = 16
"""Results of one answerer to one query, and datagrams that bring them: 13 with the longest names. No peer fills
another one's list, and an asker knows the end of an answer by its number of pages."""

LEAST_ANSWER_RESULTS: Final = 5
MAX_SEARCH_RESULTS: Final = 2000
"""Results that one search takes, some 400 bytes each. Each answerer is asked for its share of that, but for no fewer
than the first: thousands of answerers do not bury the asker, nor each other."""

MAX_SEARCHES: Final = 8
"""Searches of this node under way at once: each speaks to the whole LAN."""

WEATHER_PER_SECOND: Final = 4.0
WEATHER_BURST: Final = 12.0
ALL_WEATHER_PER_SECOND: Final = 60.0
ALL_WEATHER_BURST: Final = 200.0
"""Weather of one verified peer, and of all, whose signatures we check. All nodes together say it at most 20 times a
second, and one at once when something changes."""

MAX_WEATHER: Final = 256
"""Bytes of its payload."""

QUERIES_PER_SECOND: Final = 10.0
QUERIES_BURST: Final = 60.0
"""Queries of one verified peer by multicast that we check and look up. Our own leave at half of this, so that no honest
node runs into it."""

ALL_QUERIES_PER_SECOND: Final = 50.0
ALL_QUERIES_BURST: Final = 150.0
"""The same of all peers together."""

QUERIES_AGAIN_PER_SECOND: Final = 30.0
QUERIES_AGAIN_BURST: Final = 180.0
"""Queries of one peer by unicast: each comes again up to three times where an answer got lost."""

MAX_QUERIES_UNDER_WAY: Final = 16
MAX_QUERIES_PER_PEER: Final = 4
"""Queries that wait for the client's store, in all and of one peer; further ones are dropped, and come again. The store
is asked one at a time."""

QUERY_LIFETIME: Final = 5.0
"""Seconds after which a query that the client did not answer is forgotten."""

MAX_ANSWERS_KEPT: Final = 64
"""Answers kept to be sent again in part, 14 KB each at most."""

PAGES_OF_ANSWERS_PER_SECOND: Final = 400.0
PAGES_OF_ANSWERS_BURST: Final = 400.0
"""Datagrams of answers that we send, whoever asks: 4.4 Mbit/s at most."""

RESULTS_PER_SECOND: Final = 100.0
RESULTS_BURST: Final = 300.0
"""Datagrams of answers of one peer that we check: only those of a search of ours, from whom it asked."""

SEARCH_SPREAD: Final = 0.002
MAX_SEARCH_SPREAD: Final = 2.0
"""All who are asked answer within a random time up to N times this, so that the asker gets 500 answers a second."""

SEARCH_AGAIN: Final = (0.1, 0.3, 0.8)
"""When, after that time, those whose answer is not whole are asked again, by unicast: 40 % loss both ways leaves one of
six without."""

MAX_ASKED_AGAIN: Final = 64
"""Peers asked by unicast at a time. When more could answer, those with nothing to tell are asked to say nothing."""

SILENT_SEARCHES: Final = 2
SILENT_GRACE: Final = 0.15
"""A peer that left so many searches in a row without a whole answer (it is for friends only, hangs, or would have us
wait) is asked, and waited for only so long (seconds) from then on, until it answers one."""

MAX_SEARCH_TIMEOUT: Final = 30.0
"""Seconds that a search may take."""

# --- Shared files. What is spent here is the disk of who shares: to make a torrent of a file it is read to its end.

MAX_FILES_WAITING: Final = 32
"""Files of all peers that wait to be hashed, one at a time. Of one peer, and of one address with all keys there, it is
one: else MAX_KEYS_PER_ADDRESS keys of one machine would take all places. Who asks for more is told to wait, with
nothing kept, and asks again: a peer that wants a terabyte gets its next file when the one before is done and others had
their turn."""

MAX_FILE_WAITERS: Final = 64
"""Peers that wait for the same file: it is hashed once for all of them. More are told to wait too."""

MAX_FILES_KNOWN: Final = 4096
"""Files made ready before, whose torrents are there at once: they do not wait behind one that takes minutes."""

FILE_MOST_REST: Final = 30.0
"""Seconds that the disk rests at most after a file was hashed, else as long as that took: who asks for all there is
takes half of the disk's time, unless they are of many gigabytes each."""

FILE_WAITER_LIFETIME: Final = 30.0
"""Seconds after which who asks no more does not wait for a file any more; one that nobody waits for is not begun."""

MAX_FILE_TIME: Final = 12 * 3600.0
"""Seconds that one file is waited for, and hashed, at most, however often a sharer says that it goes on: 12 h are 4 TB
from a disk of 100 MB/s."""

MAX_FILE_ANSWERS_KEPT: Final = 256
"""Last answers kept to be said again when they were lost."""

MAX_FILE_RUNS: Final = 32
MAX_FILE_RUNS_PER_PEER: Final = 8
"""Files that we wait for at once, and of one peer: our questions stay within FILE_REQUESTS_PER_SECOND of the sharer."""

FILE_ASK_SOON: Final = 0.2
FILE_ASK_LATE: Final = 2.0
"""A sharer is asked again after a quarter of the time (seconds) since the first question, within these."""

FILE_FIRST_PATIENCE: Final = 10.0
"""Seconds until a peer counts as silent that never answered: some 15 questions; at 40 % loss both ways one of 800
stays without an answer. Programs that do not know these messages are silent too."""

FILE_PATIENCE: Final = 30.0
"""Seconds until a peer counts as silent that answered before: one that is verified anew meanwhile is not lost."""

FILE_REQUESTS_PER_SECOND: Final = 16.0
FILE_REQUESTS_BURST: Final = 96.0
"""Questions, and answers, of one peer that we check. An answer has to be waited for."""

ALL_FILE_REQUESTS_PER_SECOND: Final = 100.0
ALL_FILE_REQUESTS_BURST: Final = 300.0
"""Questions of all peers: each that names another file may cost a look into the index of what is shared, and an
answer of at most 254 bytes."""

# --- Coded transfer: what is said around it. The data has keys, bounds and sockets of its own (`transfer/limits.py`).

MAX_CODED_PAYLOAD: Final = 1100
"""Payload of a message around a transfer before it is sealed for the pair: with that seal, header and signature it is
1,325 bytes, so that a group's seal fits around it."""

CODED_PER_SECOND: Final = 20.0
CODED_BURST: Final = 60.0
ALL_CODED_PER_SECOND: Final = 500.0
ALL_CODED_BURST: Final = 1000.0
"""Questions for offers, JOINs, ACCEPTs, REFUSEs, LEAVEs, FINISHes, MEMBERS that we check of one verified peer, of all:
3.5 % of a core. A receiver says a few of them for each content; hundreds may join within a second."""

MAX_OFFERS: Final = 64
OFFER_PATIENCE: Final = 10.0
"""OFFERs of one peer that we take for a question of ours, and for how long after it: nobody tells us what it has
unasked, and nobody fills our list."""

OFFERS_PER_SECOND: Final = 32.0
OFFERS_BURST: Final = 128.0
"""OFFERs of one peer that we check: the answers to two questions at once. The budget of all is the one above."""

RANKS_PER_SECOND: Final = 250.0
RANKS_BURST: Final = 250.0
ALL_RANKS_PER_SECOND: Final = 2000.0
ALL_RANKS_BURST: Final = 3000.0
"""REPORTs, HELPs, HAVEs, SUMS and ALARMs that we check of one peer, and of all: six transfers at once at the 40 a
second of each, and 14 % of a core. The receivers of one session together send 640 REPORTs a second, so that is three
sessions; what finds no room is said again, 25 ms later or so."""
