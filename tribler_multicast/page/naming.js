/*
 * How peers are called.
 */
import { short } from "./format.js";

/** Which `local` a peer has: "online" is green, "offline" black, "" none. */
export function localState(peer) {
    if (peer.is_local && peer.online) return "online";
    return peer.was_local && !peer.online ? "offline" : "";
}

/** The name of a peer, as others may call it in a sentence. */
export function nameOf(peer) { return peer.nickname || short(peer.mid); }

let collator = null;

/** Those who are here first, by name; then those who were here last. */
export function inOrder(peers) {
    collator ??= new Intl.Collator(undefined, { numeric: true });
    return [...peers].sort((one, other) => other.online - one.online
        || (one.online ? !one.nickname - !other.nickname || collator.compare(one.nickname, other.nickname) : other.last_seen - one.last_seen)
        || (one.mid < other.mid ? -1 : 1));
}
