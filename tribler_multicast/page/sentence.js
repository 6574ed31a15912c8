/*
 * One sentence that says what is going on.
 */
import { milliseconds, rate } from "./format.js";
import { localState, nameOf } from "./naming.js";
import { t } from "./strings.js";

const HIGH = ["live", "on_demand"];

/** The bulk limit in force, in words: of the direction that has one, or of both. */
function held({ up, down }) {
    if (up !== null && down !== null) return t("held_both", { up: rate(up), down: rate(down) });
    return up !== null ? t("held_up", { rate: rate(up) }) : t("held_down", { rate: rate(down) });
}

/** Who streams, live first. */
function streamers(weather, peers, me) {
    const names = new Map(peers.map((peer) => [peer.mid, nameOf(peer)]));
    return weather.nodes.filter(({ mid, activity }) => HIGH.includes(activity) && mid !== me)
        .sort((one, other) => HIGH.indexOf(one.activity) - HIGH.indexOf(other.activity))
        .map(({ mid, activity }) => ({ name: names.get(mid) ?? "", activity }));
}

/**
 * The sentence and how bad it is: {mood: "clear" | "busy" | "suspected" | "congested" | "unknown", text, name}. `name` stands for {name}
 * in the text: of somebody else, so that it is shown in a direction of its own.
 */
export function sentence(weather, peers, status) {
    const here = peers.filter((peer) => localState(peer) === "online").length;
    const present = here ? t("here", { n: here }) : t("here_none");
    if (!weather) return { mood: "unknown", text: present, name: "" };
    const { gateway, limit, own_link: own } = weather;
    const all = streamers(weather, peers, status?.mid);
    const streams = all.filter(({ activity }) => activity === all[0].activity);
    const mine = weather.nodes.find(({ mid }) => mid === status?.mid)?.activity;
    const who = streams.length === 1 ? streams[0].name : "";
    const stream = streams.length ? `${streams[0].activity}${who ? "" : streams.length > 1 ? "_many" : "_somebody"}` : "";
    const full = { delay: milliseconds(gateway.delay_ms) };
    if (limit.up !== null || limit.down !== null) {
        const mood = gateway.state === "congested" ? "congested" : "busy";
        if (stream) return { mood, text: t(`limit_${stream}`, { held: held(limit) }), name: who };
        return { mood, text: t(limit.why === "room" ? "limit_room" : "limit_congested", { held: held(limit) }), name: "" };
    }
    if (HIGH.includes(mine)) return { mood: gateway.state === "congested" ? "congested" : "busy", text: t(`mine_${mine}`), name: "" };
    if (gateway.state === "congested") return { mood: "congested", text: t("sky_congested", full), name: "" };
    if (stream) return { mood: "busy", text: t(`sky_${stream}`), name: who };
    if (gateway.state === "suspected") return { mood: "suspected", text: t("sky_suspected", full), name: "" };
    if (own.state === "slow") return { mood: "suspected", text: t("sky_own_slow", { delay: milliseconds(own.delay_ms) }), name: "" };
    if (gateway.state === "clear") return { mood: "clear", text: t("sky_clear"), name: "" };
    return { mood: "unknown", text: `${present} ${t("sky_unknown")}`, name: "" };
}
