/*
 * What is in the element: title, tabs, the view that is open; and what keeps it up to date.
 */
import { ApiError } from "./api.js";
import { Browse } from "./browse.js";
import { Doctor } from "./doctor.js";
import { EventStream } from "./events.js";
import { foreign, notice } from "./element.js";
import { short } from "./format.js";
import { Getting } from "./getting.js";
import { GoLive } from "./golive.js";
import { Model } from "./model.js";
import { localState, nameOf } from "./naming.js";
import { Offers } from "./offers.js";
import { Peers } from "./peers.js";
import { Player } from "./player.js";
import { Playing } from "./playing.js";
import { Search } from "./search.js";
import { SettingsView } from "./settings.js";
import { Sky } from "./sky.js";
import { Streams } from "./streams.js";
import { language, t } from "./strings.js";
import { Subscriptions } from "./subscriptions.js";
import { Transfers } from "./transfers.js";
import { Weather } from "./weather.js";
import { html, nothing, render } from "./vendor/lit-html.js";

export const VIEWS = ["network", "find", "streams", "transfers", "weather", "settings", "check"];

const TICK = 1000; // milliseconds between two looks at what is due
const EVERYWHERE = ["status", "peers"]; // parts that each view needs

/** Topic of an event -> the parts of the model that it changes. */
const CHANGES = {
    multicast_peer_local: ["peers", "status"],
    multicast_peer_gone: ["peers", "status"],
    multicast_friend: ["peers"],
    multicast_weather: ["weather"],
    multicast_transfer: ["transfers", "publications"],
    multicast_stream: ["streams"],
};

/** Parts of the model that a change by the API changes: first part of its path -> names. */
const CHANGED = { friends: ["peers"], transfers: ["transfers"], downloads: ["downloads"], streams: ["streams"], feeds: ["feeds", "downloads"], publications: ["publications", "transfers"] };

export class App {
    constructor(root, api, { view, bare }) {
        Object.assign(this, { root, api, bare });
        this.connection = "waiting";
        this.problem = null;
        this.online = -1;
        this.model = new Model(api, (names) => this.changed(names));
        this.build();
        this.open(view);
        this.events = new EventStream(api, {
            check: () => this.check(),
            onEvent: (topic, kwargs) => this.heard(topic, kwargs),
            onOpen: () => this.opened(),
            onLost: (wait, error) => this.lost(error),
        });
        this.seen = () => this.shown(!document.hidden);
        document.addEventListener("visibilitychange", this.seen);
        this.seen();
        this.timer = setInterval(() => this.tick(), TICK);
    }

    /**
     * The tab was brought to the front, or was hidden. A browser opens six connections to one origin, for all tabs
     * together: a hidden one that heard events would keep the seventh, and Tribler's own window, from loading.
     */
    shown(here) {
        if (!here) {
            this.events.close();
            this.model.rest();
            if (this.connection === "live") this.setConnection("waiting");
        } else if (this.events.closed && this.connection !== "refused") this.events.open();
    }

    /** The parts that stay. */
    build() {
        render(html`<div class="ln-page" lang=${language()}>
            <header class="ln-header" ?hidden=${this.bare}></header>
            <div class="ln-problem" role="alert" hidden></div>
            <div class="ln-tabs" role="tablist" aria-label=${t("views")} ?hidden=${this.bare}></div>
            ${VIEWS.map((name) => html`<section class="ln-view" id="ln-view-${name}" data-view=${name} role="tabpanel"
                aria-labelledby="ln-tab-${name}" hidden></section>`)}
            <div class="ln-off"></div><div class="ln-over-player"></div><div class="ln-over-browse"></div>
            <p class="ln-hear ln-voice" role="status" aria-live="polite"></p>
        </div>`, this.root);
        const find = (selector) => this.root.querySelector(selector);
        Object.assign(this, { page: find(".ln-page"), header: find(".ln-header"), banner: find(".ln-problem"),
            tabs: find(".ln-tabs"), voice: find(".ln-voice"), off: find(".ln-off") });
        const place = (name) => {
            const element = document.createElement("div");
            find(`[data-view=${name}]`).append(element);
            return element;
        };
        const { api } = this;
        const act = (method, path, body) => this.act(method, path, body);
        const set = (values) => this.set(values);
        this.player = new Player(find(".ln-over-player"));
        this.browse = new Browse(find(".ln-over-browse"), { api });
        const play = (...what) => this.player.play(...what);
        const redraw = () => this.drawView();
        const watch = (stream) => this.watch(stream);
        this.getting = new Getting(api, { play, watch, changed: redraw, got: (part) => this.model.soon(part) });
        this.playing = new Playing(place("streams"), { api, changed: redraw });
        const offer = async () => {
            const path = await this.browse.choose(t("offer_choose"));
            if (path !== null) await act("POST", "/publications", { path });
            return path !== null;
        };
        this.views = {
            network: { parts: ["weather", "settings"], rooms: [new Sky(place("network")), new Peers(place("network"), { act, set, check: () => this.go("check") })] },
            find: { parts: [], rooms: [new Search(place("find"), { api, getting: this.getting })] },
            streams: { parts: ["streams", "feeds"], rooms: [this.playing,
                new Streams(place("streams"), { act, watch, getting: this.getting, playing: () => this.playing.id }),
                new GoLive(place("streams"), { api, act, offer, changed: () => this.model.soon("streams") }),
                new Subscriptions(place("streams"), { act })] },
            transfers: { parts: ["transfers", "downloads", "publications"],
                rooms: [new Transfers(place("transfers"), { api, act, play, find: () => this.go("find") }),
                    new Offers(place("transfers"), { act, browse: this.browse })] },
            weather: { parts: ["weather", "history", "settings"], rooms: [new Weather(place("weather"), { set })] },
            settings: { parts: ["settings"], rooms: [new SettingsView(place("settings"), { set })] },
            check: { parts: [], rooms: [new Doctor(place("check"), { api })] },
        };
        this.drawHeader();
    }

    drawHeader() {
        const status = this.model.get("status");
        const used = status?.interfaces.filter((item) => item.joined.length > 0).map((item) => item.name) ?? [];
        const word = { waiting: "connecting", live: "live", lost: "connection_lost", refused: "not_connected" }[this.connection];
        render(html`<div><h1>${t("title")}</h1>
            <p class="ln-me">${status ? html`${t("this_node")}: <strong title="mid ${status.mid}">${status.nickname
                ? foreign(status.nickname) : short(status.mid)}</strong>
                ${used.length ? t("on_interfaces", { names: used.join(", ") }) : t("on_no_network")}` : nothing}</p></div>
            <span class="ln-connection" role="status" data-state=${this.connection}>${t(word)}</span>`, this.header);
    }

    drawTabs() {
        render(VIEWS.map((name) => html`<button type="button" role="tab" id="ln-tab-${name}" aria-controls="ln-view-${name}"
            aria-selected=${name === this.view} tabindex=${name === this.view ? 0 : -1} @click=${() => this.go(name)}
            @keydown=${(event) => this.arrow(event)}>${t(`view_${name}`)}</button>`), this.tabs);
        const open = this.tabs.querySelector("[aria-selected=true]");
        this.tabs.scrollLeft = open.offsetLeft - this.tabs.offsetLeft - (this.tabs.clientWidth - open.offsetWidth) / 2;
    }

    arrow(event) {
        const step = { ArrowRight: 1, ArrowLeft: -1, Home: -VIEWS.length, End: VIEWS.length }[event.key];
        if (!step) return;
        event.preventDefault();
        const place = VIEWS.indexOf(this.view);
        const next = Math.abs(step) > 1 ? (step < 0 ? 0 : VIEWS.length - 1) : (place + step + VIEWS.length) % VIEWS.length;
        this.go(VIEWS[next]);
        this.tabs.querySelector("[aria-selected=true]").focus();
    }

    /** Go to a view as the user does: the host is told. */
    go(name) {
        if (!VIEWS.includes(name)) return;
        this.root.view = name;
        this.root.dispatchEvent(new CustomEvent("view", { detail: { view: name } }));
    }

    /** Watch a stream. */
    watch(stream) {
        this.go("streams");
        this.playing.play(stream);
    }

    open(name) {
        this.view = VIEWS.includes(name) ? name : VIEWS[0];
        for (const section of this.root.querySelectorAll(".ln-view")) section.hidden = section.dataset.view !== this.view;
        this.drawTabs();
        if (this.connection === "live") this.model.watch([...EVERYWHERE, ...this.views[this.view].parts]);
        this.drawView();
    }

    /** Before each connection: can the node be reached, and may we? */
    async check() {
        await Promise.all([this.model.fetch("status"), this.model.fetch("peers")]).catch((error) => {
            if (error instanceof ApiError && error.status === 401) error.final = true;
            throw error;
        });
    }

    opened() {
        this.say(null);
        this.setConnection("live");
        this.model.watch([...EVERYWHERE, ...this.views[this.view].parts]);
        this.model.soon(...this.model.watched); // what happened between the first look and this moment
    }

    lost(error) {
        if (error instanceof ApiError && error.status === 401) {
            this.setConnection("refused");
            this.say(this.api.key || !document.cookie.includes("api_key") ? "wrong_key" : "wrong_key_host");
        } else {
            this.setConnection("lost");
            const lost = this.model.get("status")?.client === "tribler" ? "lost_host" : "lost";
            this.say(error instanceof ApiError && error.status ? "node_error" : lost, error?.status ? error.message : "");
        }
    }

    setConnection(state) {
        this.connection = state;
        this.page.classList.toggle("ln-stale", state === "lost" || state === "refused");
        this.drawHeader();
    }

    /** Say what is wrong, and what to do; null: nothing is. */
    say(what, advice = "") {
        this.banner.hidden = what === null;
        render(what === null ? nothing : html`<strong>${t(what)}</strong><span>${advice || t(`${what}_do`)}</span>`, this.banner);
    }

    heard(topic, kwargs) {
        // State and progress are seen at once; rates and the rest follow with the list.
        if (topic === "multicast_transfer" && kwargs.state !== "removed") this.model.amend("transfers", "id", kwargs.id, kwargs);
        if (topic === "multicast_download" && (kwargs.state === "removed" || !this.model.amend("downloads", "infohash", kwargs.infohash, kwargs))
            && this.model.watched.has("downloads")) this.model.soon("downloads");
        for (const name of CHANGES[topic] ?? []) if (this.model.watched.has(name)) this.model.soon(name);
        const peer = this.model.get("peers")?.find(({ mid }) => mid === kwargs.mid);
        const name = kwargs.nickname || (peer ? nameOf(peer) : short(kwargs.mid ?? ""));
        if (topic === "multicast_peer_local") this.tell("said_local", name);
        else if (topic === "multicast_peer_gone") this.tell("said_gone", name);
        else if (topic === "multicast_friend") this.tell(`said_friend_${kwargs.friend}`, name);
    }

    /** Tell those who hear the page. */
    tell(what, name) { this.voice.textContent = t(what, { name }); }

    /** Change something by the API; what went wrong is told. */
    async act(method, path, body) {
        try {
            const answer = await this.api.call(method, path, body);
            const part = path.split("/")[1];
            if (part === "friends") this.model.amend("peers", "mid", answer.mid, answer);
            this.model.soon(...CHANGED[part] ?? []);
            return answer;
        } catch (error) {
            this.voice.textContent = t("failed", { why: error.message });
            throw error;
        }
    }

    /** Change settings; the answer is all of them. */
    async set(values) {
        const { settings } = await this.api.patch("/settings", values);
        this.model.put("settings", settings);
        this.model.soon("status", "peers", "weather");
    }

    changed(names) {
        if (names.has("status")) this.drawHeader();
        if (names.has("peers")) this.count();
        this.drawView();
    }

    count() {
        const peers = this.model.get("peers") ?? [];
        const online = peers.reduce((sum, peer) => sum + (localState(peer) === "online"), 0);
        if (online === this.online) return;
        this.online = online;
        this.root.dispatchEvent(new CustomEvent("count", { detail: { online, title: t("title") } }));
    }

    drawView() {
        for (const room of this.views[this.view].rooms) room.show(this.model);
    }

    tick() {
        if (this.events.live && !document.hidden) this.model.tick();
    }

    stop() {
        clearInterval(this.timer);
        document.removeEventListener("visibilitychange", this.seen);
        this.events.close();
        this.model.close();
        for (const { rooms } of Object.values(this.views)) for (const room of rooms) room.stop?.();
        for (const part of [this.getting, this.player, this.browse]) part.stop();
        render(nothing, this.root);
    }
}
