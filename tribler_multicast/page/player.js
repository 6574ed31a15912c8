/*
 * Plays audio and video of the network, in a window over the page.
 */
import { foreign } from "./element.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

export class Player {
    constructor(root) {
        this.root = root;
    }

    /** Play what is at an address; `kind` is "audio" or "video". */
    play(name, kind, address) {
        this.close();
        const failed = (event) => {
            event.target.hidden = true;
            this.root.querySelector(".ln-unplayable").hidden = false;
        };
        render(html`<dialog class="ln-dialog ln-player" aria-label=${t("player_of", { name })} @close=${() => this.close()}>
            <header class="ln-bar"><h2>${foreign(name)}</h2>
                <a class="ln-button ln-small" href=${address} target="_blank" rel="noopener noreferrer" download>${t("save")}</a>
                <button type="button" class="ln-button ln-small" @click=${() => this.close()}>${t("close")}</button></header>
            ${kind === "video" ? html`<video controls autoplay playsinline src=${address} @error=${failed}></video>`
                : html`<audio controls autoplay src=${address} @error=${failed}></audio>`}
            <p class="ln-unplayable" hidden>${t("unplayable")}</p></dialog>`, this.root);
        this.root.querySelector("dialog").showModal();
    }

    close() {
        const media = this.root.querySelector("video, audio");
        if (media) {
            media.removeAttribute("src");
            media.load();
        }
        render(nothing, this.root);
    }

    stop() { this.close(); }
}
