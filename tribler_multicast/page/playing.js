/*
 * What is watched now: a live stream, in the page, and how it comes.
 */
import { foreign } from "./element.js";
import { bytes, rate, seconds } from "./format.js";
import { liveAddress, playLive } from "./live.js";
import { nameOf } from "./naming.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

const LOOK = 1000; // milliseconds between two looks at how it comes
const SHOWN_SOURCES = 5;

export class Playing {
    /** `changed()` is called when something else is played, or nothing. */
    constructor(root, { api, changed }) {
        Object.assign(this, { root, api, changed });
        this.stream = null;
        this.end = null;
        this.state = ""; // "", "over" or "failed"
        root.className = "ln-playing";
        root.hidden = true;
    }

    /** The id of what is played, "" for nothing. */
    get id() { return this.stream?.stream_id ?? ""; }

    /** Play a stream, in the list of them by GET /streams. */
    play(stream) {
        this.close(false);
        Object.assign(this, { stream, state: "", known: stream });
        const sound = stream.media_type?.startsWith("audio/");
        const over = () => this.fails("over");
        const failed = () => this.fails("failed");
        render(html`<section class="ln-card" aria-label=${t("playing_of", { name: stream.name.slice(0, 100) })}>
            <header class="ln-bar"><h2>${foreign(stream.name)}</h2><button type="button" class="ln-button ln-small" @click=${() => this.close()}>${t("stop")}</button></header>
            ${sound ? html`<audio controls autoplay @ended=${over} @error=${failed}></audio>`
                : html`<video controls autoplay playsinline @ended=${over} @error=${failed}></video>`}
            <p class="ln-hint" role="alert" hidden></p><dl class="ln-figures"></dl>
            <p class="ln-sub">${t("playing_elsewhere")} <code>${new URL(liveAddress(this.api, stream), location.href).href}</code></p></section>`, this.root);
        const find = (selector) => this.root.querySelector(selector);
        Object.assign(this, { media: find("video, audio"), hint: find(".ln-hint"), figures: find(".ln-figures") });
        this.root.hidden = false;
        this.end = playLive(this.media, this.api, stream, failed);
        this.timer = setInterval(() => this.look(), LOOK);
        this.changed();
        this.root.scrollIntoView({ block: "nearest" });
    }

    /** It is over, or cannot be played here. The browser says that it has failed also when it was ended on purpose. */
    fails(state) {
        if (!this.stream || this.state) return;
        this.state = state;
        this.hint.hidden = false;
        this.hint.textContent = t(state === "over" ? "streams_over" : "unplayable");
        if (state === "failed") this.media.hidden = true;
    }

    /** What this node knows of it: nobody else is asked. */
    async look() {
        if (document.hidden || this.root.offsetParent === null || !this.stream) return;
        const { id } = this;
        const answer = await this.api.get("/streams?known=true").catch(() => null);
        if (this.id !== id) return;
        this.known = answer?.streams.find((one) => one.stream_id === id) ?? this.known;
        this.draw();
    }

    show(model) {
        this.names = new Map((model.get("peers") ?? []).map((peer) => [peer.mid, nameOf(peer)]));
        this.me = model.get("status")?.mid;
        if (this.stream) this.draw();
    }

    draw() {
        const { media, known } = this;
        const ranges = media.buffered;
        const ahead = ranges.length ? Math.max(0, ranges.end(ranges.length - 1) - media.currentTime) : null;
        const waits = this.end?.latency() ?? ahead;
        const behind = waits === null ? known.delay ?? null : (known.delay ?? 0) + waits;
        const least = known.own || (known.delay ?? null) !== null ? "" : "≥\u00a0"; // on its way here nobody measured it
        const sources = (known.sources?.length ? known.sources : [known.publisher]).filter(Boolean);
        const name = (mid) => (mid === this.me ? t("this_node") : foreign(this.names?.get(mid) ?? mid.slice(0, 10)));
        const fact = (what, value, help = "") => html`<div title=${help}><dt>${t(what)}</dt><dd>${value}</dd></div>`;
        render(html`${fact("playing_buffer", ahead === null ? "–" : seconds(ahead), t("playing_buffer_help"))}
            ${fact("playing_delay", behind === null ? "–" : `${least}${seconds(behind)}`, t("playing_delay_help"))}
            ${fact("playing_from", sources.length ? html`${sources.slice(0, SHOWN_SOURCES).map((mid, place) => html`${place ? ", " : ""}${name(mid)}`)}${sources.length > SHOWN_SOURCES
                ? ` +${sources.length - SHOWN_SOURCES}` : ""}` : "–")}
            ${known.rate ? fact("playing_rate", rate(known.rate)) : nothing}
            ${known.lost || known.skipped ? fact("playing_lost", bytes((known.lost ?? 0) + (known.skipped ?? 0))) : nothing}
            ${known.viewers === null || known.viewers === undefined ? nothing : fact("playing_viewers", known.viewers)}`, this.figures);
    }

    close(tell = true) {
        clearInterval(this.timer);
        this.end?.();
        this.end = null;
        this.stream = null;
        if (this.media) {
            this.media.removeAttribute("src");
            this.media.load();
        }
        this.media = null;
        this.root.hidden = true;
        render(nothing, this.root);
        if (tell) this.changed();
    }

    stop() { this.close(false); }
}
