/*
 * What happens, as it happens: the server-sent events of the API, connected again whenever they end.
 */

const FIRST_RETRY = 500; // milliseconds
const LONGEST_RETRY = 10000;

// An announcement changes nothing on the page, and may be half a megabyte: not even parsed.
const ANNOUNCEMENT = '{"topic": "multicast_announcement"';

/**
 * Hears events until it is closed.
 *
 * `onEvent(topic, kwargs)`; `onOpen()` after each connection: what was shown before may be old; `onLost(milliseconds)` when it
 * ended, and how long it waits. `check()`, if there is one, is awaited before each attempt: what it raises is told by
 * `onLost`, and with `error.final` true nothing is tried again.
 */
export class EventStream {
    constructor(api, { onEvent, onOpen = () => {}, onLost = () => {}, check = async () => {} }) {
        Object.assign(this, { api, onEvent, onOpen, onLost, check });
        this.retry = FIRST_RETRY;
        this.source = null;
        this.timer = 0;
        this.closed = true;
    }

    get live() { return this.source?.readyState === EventSource.OPEN; }

    /** Connect, at once. */
    async open() {
        this.close();
        this.closed = false;
        const turn = this.turn = {};
        try {
            await this.check();
        } catch (error) {
            if (this.turn === turn && !this.closed) this.lost(error);
            return;
        }
        if (this.turn !== turn || this.closed) return;
        const source = this.source = new EventSource(this.api.address("/events"));
        source.onopen = () => {
            this.retry = FIRST_RETRY;
            this.onOpen();
        };
        source.onmessage = ({ data }) => {
            if (data.startsWith(ANNOUNCEMENT)) return;
            const { topic, kwargs } = JSON.parse(data);
            this.onEvent(topic, kwargs ?? {});
        };
        source.onerror = () => {
            if (this.source === source) this.lost(null);
        };
    }

    lost(error) {
        this.source?.close();
        this.source = null;
        if (error?.final) {
            this.onLost(0, error);
            return;
        }
        this.onLost(this.retry, error);
        this.timer = setTimeout(() => this.open(), this.retry);
        this.retry = Math.min(this.retry * 2, LONGEST_RETRY);
    }

    close() {
        this.closed = true;
        this.turn = null;
        clearTimeout(this.timer);
        this.source?.close();
        this.source = null;
    }
}
