/*
 * Publishing: the camera, the screen, the microphone or an address as a live stream; a file or folder as an offer.
 */
import { bytes } from "./format.js";
import { Recording } from "./recording.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

const KINDS = ["camera", "screen", "microphone", "address", "file"];

export class GoLive {
    /** `act(method, path, body)` changes something, `changed()`: a stream came or went; `offer()` lets the user offer a file or folder. */
    constructor(root, { api, act, offer, changed }) {
        Object.assign(this, { root, api, act, offer, changed });
        this.kind = "camera";
        this.recording = null;
        this.busy = false;
        this.problem = "";
        this.done = "";
        root.className = "ln-golive";
        this.leave = () => this.recording?.abandon();
        addEventListener("pagehide", this.leave);
        this.draw();
    }

    show(model) {
        this.nickname = model.get("status")?.nickname ?? "";
        this.draw();
    }

    draw() {
        const { kind, busy, recording } = this;
        const needsName = kind !== "file";
        render(html`<div class="ln-bar"><h2 id="ln-golive-title">${t("golive")}</h2></div>
            <form class="ln-card ln-publish" aria-labelledby="ln-golive-title" @submit=${(event) => this.submit(event)}>
                ${recording ? html`<video class="ln-preview" muted autoplay playsinline aria-label=${t("golive_preview")} .srcObject=${recording.source}></video>
                    <p class="ln-facts" role="status"><span class="ln-badge" data-state="failed">${t("golive_on_air")}</span><span>${t("sent_total", { amount: bytes(recording.sent) })}</span></p>
                    <button type="button" class="ln-button" data-kind="main" @click=${() => this.end()}>${t("stream_end")}</button>`
                : html`<div class="ln-field"><label for="ln-golive-kind">${t("golive_what")}</label><select id="ln-golive-kind" name="kind" @change=${(event) => this.choose(event.target.value)}>
                        ${KINDS.map((each) => html`<option value=${each} ?selected=${each === kind}>${t(`golive_${each}`)}</option>`)}</select></div>
                    ${needsName ? html`<div class="ln-field"><label for="ln-golive-name">${t("golive_name")}</label><input id="ln-golive-name" type="text" name="name" maxlength="100" autocomplete="off"
                        placeholder=${this.nickname || t(`golive_${kind}`)}></div>` : nothing}
                    ${kind === "address" ? html`<div class="ln-field"><label for="ln-golive-address">${t("golive_address_of")}</label><input id="ln-golive-address" type="text" name="address" inputmode="url"
                        autocomplete="off" spellcheck="false" placeholder="http://"></div>` : nothing}
                    <button type="submit" class="ln-button" data-kind="main" ?disabled=${busy}>${t(kind === "file" ? "offer" : "golive_start")}</button>`}
                ${this.problem ? html`<p class="ln-error" role="alert">${this.problem}</p>` : this.done ? html`<p class="ln-sub" role="status">${this.done}</p>` : nothing}
            </form><p class="ln-sub">${t(kind === "file" ? "golive_file_help" : "golive_help")}</p>`, this.root);
    }

    choose(kind) {
        Object.assign(this, { kind, problem: "", done: "" });
        this.draw();
    }

    async submit(event) {
        event.preventDefault();
        if (this.busy || this.recording) return;
        const { kind } = this;
        const field = (name) => event.target.elements[name]?.value.trim() ?? "";
        const name = field("name") || this.nickname || t(`golive_${kind}`);
        const address = field("address");
        Object.assign(this, { busy: true, problem: "", done: "" });
        this.draw();
        try {
            if (kind === "file") {
                if (await this.offer()) this.done = t("golive_offered");
            } else if (kind === "address") {
                await this.act("POST", "/streams", { name, source: address });
                this.done = t("golive_begun");
            } else {
                this.recording = await Recording.begin(this.api, kind, name, {
                    changed: () => this.draw(), over: (problem) => this.over(problem) });
                this.changed();
            }
        } catch (error) {
            this.problem = error.message;
        }
        this.busy = false;
        this.draw();
    }

    end() { this.recording?.end(); }

    /** A recording is over: on purpose (problem ""), or because something went wrong. */
    over(problem) {
        this.recording = null;
        this.problem = problem;
        this.draw();
        this.changed();
    }

    stop() {
        removeEventListener("pagehide", this.leave);
        this.recording?.abandon();
        this.recording = null;
    }
}
