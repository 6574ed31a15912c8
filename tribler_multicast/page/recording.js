/*
 * A camera, screen or microphone, recorded by the browser and fed to a stream of the node piece by piece: browsers cannot send a body
 * that goes on, so each piece is a call of its own.
 */
import { t } from "./strings.js";

const PIECE = 250; // milliseconds of recording that are sent at once
const KEYFRAMES = 1000; // milliseconds between two pictures at which a player can begin
const MOST = 16_000_000; // bytes that wait to be sent: more, and the node does not take them as they come
const VIDEO_RATE = 2_500_000; // bit/s
const TYPES = { video: ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"], audio: ["audio/webm;codecs=opus", "audio/webm", "audio/mp4"] };

/** What the browser gives, and what keeps it from that in words. */
async function capture(kind) {
    const devices = navigator.mediaDevices;
    if (!devices || !globalThis.MediaRecorder) throw new Error(t("golive_insecure"));
    try {
        if (kind === "screen") return await devices.getDisplayMedia({ video: true, audio: true });
        if (kind === "microphone") return await devices.getUserMedia({ audio: true });
        const video = { width: { ideal: 1280 }, height: { ideal: 720 } };
        return await devices.getUserMedia({ video, audio: true }).catch((error) => {
            if (error.name !== "NotFoundError") throw error;
            return devices.getUserMedia({ video }); // a camera without a microphone
        });
    } catch (error) {
        throw new Error(t({ NotAllowedError: "golive_refused", NotFoundError: "golive_no_device" }[error.name] ?? "failed", { why: error.message }));
    }
}

export class Recording {
    /** Begin; raises an Error with one line. `changed()` when more was sent, `over(problem)` at the end. */
    static async begin(api, kind, name, { changed, over }) {
        const source = await capture(kind);
        try {
            const type = TYPES[kind === "microphone" ? "audio" : "video"].find((each) => MediaRecorder.isTypeSupported(each));
            const recorder = new MediaRecorder(source, { mimeType: type, videoBitsPerSecond: VIDEO_RATE, videoKeyFrameIntervalDuration: KEYFRAMES });
            const { stream_id: id } = await api.post("/streams", { name, type: recorder.mimeType.split(";")[0] || "video/webm" });
            return new Recording(api, id, source, recorder, { changed, over });
        } catch (error) {
            for (const track of source.getTracks()) track.stop();
            throw error;
        }
    }

    constructor(api, id, source, recorder, { changed, over }) {
        Object.assign(this, { api, id, source, recorder, changed, over });
        this.pieces = [];
        this.waiting = 0;
        this.sent = 0;
        this.sending = false;
        this.problem = "";
        this.closed = false;
        recorder.ondataavailable = ({ data }) => this.take(data);
        recorder.onstop = () => this.finish();
        recorder.onerror = ({ error }) => this.fail(error?.message ?? "");
        for (const track of source.getTracks()) track.addEventListener("ended", () => this.end()); // the user ended it in the browser
        recorder.start(PIECE);
    }

    take(data) {
        if (!data.size || this.closed) return;
        this.pieces.push(data);
        this.waiting += data.size;
        if (this.waiting > MOST) this.fail(t("golive_slow"));
        else this.send();
    }

    async send() {
        if (this.sending) return;
        this.sending = true;
        try {
            while (this.pieces.length && !this.closed) {
                const pieces = new Blob(this.pieces.splice(0));
                await this.api.put(`/streams/${this.id}/data`, pieces);
                this.waiting -= pieces.size;
                this.sent += pieces.size;
                this.changed();
            }
        } catch (error) {
            this.fail(error.message);
        }
        this.sending = false;
        if (this.recorder.state === "inactive") this.finish();
    }

    /** End it: what was recorded is still sent. */
    end() {
        if (this.recorder.state !== "inactive") this.recorder.stop();
    }

    fail(problem) {
        if (this.closed || this.problem) return;
        this.problem = problem || t("failed", { why: "" });
        this.pieces.length = 0;
        this.end();
    }

    async finish() {
        if (this.closed || this.sending || (this.pieces.length && !this.problem)) return;
        this.closed = true;
        for (const track of this.source.getTracks()) track.stop();
        await this.api.delete(`/streams/${this.id}`).catch(() => {});
        this.over(this.problem);
    }

    /** The page goes away. */
    abandon() {
        if (this.closed) return;
        this.closed = true;
        for (const track of this.source.getTracks()) track.stop();
        this.api.request("DELETE", `/streams/${this.id}`, undefined, undefined, { keepalive: true }).catch(() => {});
    }
}
