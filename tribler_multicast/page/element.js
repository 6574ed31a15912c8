/*
 * Small things that several views need.
 */
import { html, nothing } from "./vendor/lit-html.js";

/** Text of somebody else: as text, in its own direction, and in one line that is told whole on demand. */
export function foreign(text, name = "") {
    const shown = text.length > 300 ? `${text.slice(0, 300)}…` : text;
    return html`<bdi class=${name} dir="auto" title=${text.slice(0, 2000)}>${shown}</bdi>`;
}

/** Something is not there, and why. */
export function notice(kind, title, text, action = nothing) {
    return html`<div class="ln-notice" data-kind=${kind}><h3>${title}</h3>${text ? html`<p>${text}</p>` : nothing}${action}</div>`;
}
