/*
 * Getting what others have, in one click.
 */
import { dataAddress, mediaKind } from "./media.js";
import { t } from "./strings.js";

const AGAIN = 1000; // milliseconds between two looks at a file that its sharer still hashes
const LOOKS = 30; // for what is in a torrent that was just begun

/** What a result is asked for by. */
export function idOf(result) { return result.infohash ?? result.content_id ?? result.stream_id ?? result.file_id; }

/** Keeps what becomes of each result that was asked for: {state, text} by its id. */
export class Getting {
    /** `changed()` when there is something new; `play(name, kind, address)` plays, `watch(stream)` what is live. */
    constructor(api, { changed, play, watch, got }) {
        Object.assign(this, { api, changed, play, watch, got });
        this.states = new Map();
        this.closed = false;
    }

    of(result) { return this.states.get(idOf(result)) ?? { state: "", text: "" }; }

    set(result, state, text = "") {
        if (this.closed) return;
        this.states.set(idOf(result), { state, text });
        this.changed();
    }

    canPlay(result) { return result.kind === "stream" || (result.kind === "coded" && mediaKind(result.name) !== ""); }

    /** Get it; with `play` too. */
    async get(result, { play = false } = {}) {
        this.set(result, "asked", t("get_asked"));
        try {
            if (result.kind === "coded") await this.coded(result, play);
            else if (result.kind === "stream" && result.stream_id) await this.stream(result);
            else await this.torrent(result, play);
        } catch (error) {
            this.set(result, "failed", error.message);
        }
    }

    async coded(result, play) {
        const { id } = await this.api.post("/transfers", { content_id: result.content_id });
        this.set(result, "begun", t("get_begun"));
        this.got("transfers");
        if (!play) return;
        this.play(result.name, mediaKind(result.name), dataAddress(this.api, await this.api.get(`/transfers/${id}`)));
    }

    async torrent(result, play = false) {
        const what = result.file_id ? { file_id: result.file_id, timeout: 5 } : { infohash: result.infohash };
        for (;;) {
            const answer = await this.api.post("/downloads", what);
            if (this.closed) return;
            if (answer.infohash) break;
            const part = answer.progress === null ? "" : ` ${Math.floor(answer.progress * 100)} %`;
            this.set(result, "asked", `${t(`get_${answer.state}`)}${part}`);
            await new Promise((resolve) => { setTimeout(resolve, AGAIN); });
        }
        this.set(result, "begun", t("get_begun"));
        this.got("downloads");
        if (play) await this.torrentStream(result);
    }

    /** Play a torrent while it arrives, where the client can: it has to know first which files there are. */
    async torrentStream(result) {
        for (let looks = 0; looks < LOOKS && !this.closed; looks += 1) {
            const { downloads } = await this.api.get("/downloads");
            const found = downloads.find(({ infohash }) => infohash === result.infohash);
            if (!found || found.state !== "metadata") {
                if (found?.stream) this.play(result.name, mediaKind(result.name) || "video", this.api.host(found.stream));
                return;
            }
            await new Promise((resolve) => { setTimeout(resolve, AGAIN); });
        }
    }

    async stream(found) {
        // What a search finds has no token: that comes with the list of streams.
        const result = found.token ? found : (await this.api.get("/streams")).streams.find(({ stream_id: id }) => id === found.stream_id);
        if (!result) throw new Error(t("streams_over"));
        this.set(found, "begun", t("get_playing"));
        this.watch(result);
    }

    stop() { this.closed = true; }
}
