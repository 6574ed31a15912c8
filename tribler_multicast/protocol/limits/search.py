"""Search: who is asked, how much is answered, how long it is waited for."""
from __future__ import annotations

from typing import Final

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
