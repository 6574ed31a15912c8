/*
 * What the page knows, and from when.
 *
 * Each part is fetched when something said that it changed, at most so often, and never twice at the same time. Who shows
 * parts is told once per frame, however many changed.
 */
import { ApiError } from "./api.js";
import { t } from "./strings.js";

const PARTS = {
    // name: [path, field of the answer (none: all), milliseconds between two fetches at least, milliseconds after which
    // one is due (0: never), feature without which there is none]
    status: ["/status", null, 1000, 10000, ""],
    peers: ["/peers", "peers", 150, 10000, ""],
    weather: ["/weather", null, 400, 3000, "weather"],
    history: ["/weather/history", "history", 5000, 30000, "weather"],
    transfers: ["/transfers", "transfers", 1000, 5000, "coded"],
    downloads: ["/downloads", "downloads", 1000, 10000, "torrents"],
    streams: ["/streams", "streams", 1000, 15000, ""], // each look asks the whole network
    feeds: ["/feeds", null, 1000, 15000, "feeds"],
    publications: ["/publications", "publications", 1000, 10000, "coded"],
    settings: ["/settings", "settings", 1000, 0, ""],
};

export class Model {
    /** `changed(names)` is called once per frame with the set of parts that changed. */
    constructor(api, changed) {
        this.api = api;
        this.changed = changed;
        this.parts = {};
        for (const name of Object.keys(PARTS)) {
            this.parts[name] = { data: null, error: null, fetched: 0, running: false, again: false, timer: 0 };
        }
        this.dirty = new Set();
        this.frame = 0;
        this.watched = new Set();
        this.closed = false;
    }

    /** The data of a part, null: not known yet. */
    get(name) { return this.parts[name].data; }

    /** Does the node do this now? Asked before it is asked for it, so that no call fails that need not. */
    can(feature) { return this.get("status")?.features?.includes(feature) ?? false; }

    /** Why a part is not known, or is old: an ApiError or null. */
    error(name) { return this.parts[name].error; }

    /** These parts are shown now, and are looked at from time to time. */
    watch(names) {
        const before = this.watched;
        this.watched = new Set(names);
        for (const name of names) if (!before.has(name)) this.soon(name);
    }

    /** Look again at what has not been looked at for long. */
    tick() {
        const now = performance.now();
        for (const name of this.watched) {
            const due = PARTS[name][3];
            if (due && now - this.parts[name].fetched >= due) this.soon(name);
        }
    }

    /** Fetch parts again as soon as they may be, if anybody looks at them. */
    soon(...names) {
        for (const name of names) {
            const part = this.parts[name];
            if (part.timer || this.closed) continue;
            if (part.running) {
                part.again = true;
                continue;
            }
            const wait = Math.max(0, part.fetched + PARTS[name][2] - performance.now());
            part.timer = setTimeout(() => {
                part.timer = 0;
                this.fetch(name).catch(() => {});
            }, part.fetched ? wait : 0);
        }
    }

    /** Fetch a part now. Raises what went wrong. */
    async fetch(name) {
        const [path, field, , , feature] = PARTS[name];
        const part = this.parts[name];
        part.running = true;
        try {
            if (feature && !this.can(feature)) throw new ApiError(503, t("feature_off"));
            const answer = await this.api.get(path);
            if (this.closed) return;
            part.data = field === null ? answer : answer[field];
            part.error = null;
        } catch (error) {
            if (this.closed) return;
            part.error = error instanceof ApiError ? error : new ApiError(0, String(error));
            throw error;
        } finally {
            part.running = false;
            part.fetched = performance.now();
            this.mark(name);
            if (part.again) {
                part.again = false;
                this.soon(name);
            }
        }
    }

    /** Put an answer in place that came some other way. */
    put(name, data) {
        const part = this.parts[name];
        part.data = data;
        part.error = null;
        part.fetched = performance.now();
        this.mark(name);
    }

    /** Change one item of a list in place; false when it is not there. */
    amend(name, field, value, changes) {
        const item = this.parts[name].data?.find((one) => one[field] === value);
        if (!item) return false;
        Object.assign(item, changes);
        this.mark(name);
        return true;
    }

    /** A part has changed: tell in the next frame. */
    mark(name) {
        this.dirty.add(name);
        if (this.frame || this.closed) return;
        this.frame = requestAnimationFrame(() => {
            this.frame = 0;
            const names = this.dirty;
            this.dirty = new Set();
            this.changed(names);
        });
    }

    /** Fetch nothing that was to be fetched later. */
    rest() {
        for (const part of Object.values(this.parts)) {
            clearTimeout(part.timer);
            Object.assign(part, { timer: 0, again: false });
        }
    }

    close() {
        this.closed = true;
        cancelAnimationFrame(this.frame);
        this.rest();
    }
}
