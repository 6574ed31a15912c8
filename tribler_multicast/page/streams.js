/*
 * What is on now: streams of the network and of this node, each watched with one click.
 */
import { foreign, notice } from "./element.js";
import { duration, rate } from "./format.js";
import { idOf } from "./getting.js";
import { KeyedList } from "./keyed.js";
import { nameOf } from "./naming.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

export class Streams {
    /** `act(method, path)` changes something; `watch(stream)` plays; `playing()` is the id of what is played, "" for nothing. */
    constructor(root, { act, getting, watch, playing }) {
        Object.assign(this, { root, act, getting, watch, playing });
        this.pending = new Set();
        this.streams = new Map();
        root.className = "ln-streams";
        render(html`<div class="ln-bar"><h2 id="ln-streams-title">${t("streams")}</h2><button type="button" class="ln-button ln-small"
            @click=${() => this.model?.soon("streams")}>${t("look_again")}</button></div><div class="ln-empty"></div>
            <div class="ln-rows" role="list" aria-labelledby="ln-streams-title"></div>`, root);
        [, this.empty, this.place] = root.children;
        this.list = new KeyedList(this.place, { tag: "div", draw: (row, item) => this.draw(row, item) });
    }

    show(model) {
        this.model = model;
        const error = model.error("streams");
        const streams = error ? [] : model.get("streams") ?? [];
        const names = new Map((model.get("peers") ?? []).map((peer) => [peer.mid, nameOf(peer)]));
        this.streams = new Map(streams.map((stream) => [idOf(stream), stream]));
        this.place.hidden = !streams.length;
        render(error ? notice("error", t("streams_fail"), error.status === 404 || error.status === 405 ? t("streams_never") : error.message)
            : model.get("streams") === null ? html`<p class="ln-loading" role="status">${t("peers_loading")}</p>`
                : streams.length ? nothing : html`<p class="ln-sub">${t("streams_none")}</p>`, this.empty);
        this.list.show([...this.streams].map(([key, stream]) => this.item(key, stream, names)));
    }

    item(key, stream, names) {
        const from = stream.publisher ?? (stream.holders?.length ? stream.holders : stream.peers)[0] ?? "";
        const minutes = stream.started ? Math.max(0, Math.floor((Date.now() / 1000 - stream.started) / 60)) : 0;
        return { key, name: stream.name, own: Boolean(stream.own), who: names.get(from) ?? from.slice(0, 10), rate: stream.rate ?? null, minutes,
            viewers: stream.viewers ?? null, playing: this.playing() === key, pending: this.pending.has(key),
            live: Boolean(stream.stream_id), sound: stream.media_type?.startsWith("audio/") ?? false, ...this.getting.of(stream) };
    }

    draw(row, item) {
        row.setAttribute("role", "listitem");
        row.className = "ln-result ln-stream";
        row.dataset.own = item.own;
        const name = item.name.slice(0, 100);
        const facts = [item.rate ? rate(item.rate) : "", item.minutes ? t("stream_since", { time: duration(60 * item.minutes) }) : "",
            item.viewers ? t("viewers", { n: item.viewers }) : ""].filter(Boolean);
        const button = (word, label, kind, click) => html`<button type="button" class="ln-button ln-small" data-kind=${kind}
            aria-label=${t(label, { name })} ?disabled=${item.pending || item.state === "asked"} @click=${click}>${t(word)}</button>`;
        render(html`<div class="ln-what"><div class="ln-headline">${foreign(item.name, "ln-title")}${item.playing
                ? html`<span class="ln-badge" data-state="active">${t("get_playing")}</span>` : nothing}</div>
                <p class="ln-sub ln-facts"><span class="ln-chip">${t(item.sound ? "kind_sound" : "kind_stream")}</span>
                ${item.own ? html`<span>${t("stream_own")}</span>` : html`<span>${t("held_by")} ${foreign(item.who)}</span>`}
                ${facts.map((fact) => html`<span>${fact}</span>`)}</p></div>
            <div class="ln-actions"><span class="ln-fate" role="status" data-state=${item.state}>${item.text}</span>
                ${item.own ? button("stream_end", "stream_end_of", "", () => this.end(item.key)) : nothing}
                ${item.live ? button("play", "play_of", "main", () => this.watch(this.streams.get(item.key)))
                    : html`${button("play", "play_of", "main", () => this.getting.get(this.streams.get(item.key), { play: true }))}
                        ${button("get", "get_of", "", () => this.getting.get(this.streams.get(item.key)))}`}</div>`, row);
    }

    async end(key) {
        this.pending.add(key);
        this.show(this.model);
        await this.act("DELETE", `/streams/${key}`).catch(() => {});
        this.pending.delete(key);
        this.show(this.model);
    }

    stop() { this.list.stop(); }
}
