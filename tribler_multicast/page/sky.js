/*
 * What is going on, on top: one sentence, the picture, and what it is drawn from in figures.
 */
import { foreign } from "./element.js";
import { milliseconds, rate } from "./format.js";
import { Picture } from "./picture.js";
import { sentence } from "./sentence.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

/** The sentence as an element, the name in it in a direction of its own. */
export function sentenceOf({ mood, text, name }) {
    const [before, after] = text.split("{name}");
    return html`<p class="ln-sentence" data-mood=${mood}><span class="ln-mood" aria-hidden="true"></span><span>${before}${after === undefined
        ? nothing : html`${foreign(name || t("somebody"))}${after}`}</span></p>`;
}

/** The same as plain text. */
export function plainSentence({ text, name }) { return text.replace("{name}", name || t("somebody")); }

export class Sky {
    constructor(root) {
        root.className = "ln-sky";
        render(html`<div class="ln-say" aria-live="polite"></div><div></div><dl class="ln-figures"></dl>`, root);
        [this.say, this.canvas, this.figures] = root.children;
        this.picture = new Picture(this.canvas);
    }

    show(model) {
        const [peers, status] = [model.get("peers") ?? [], model.get("status")];
        const weather = model.error("weather") ? null : model.get("weather");
        const said = sentence(weather, peers, status);
        render(status ? sentenceOf(said) : nothing, this.say);
        this.picture.show(peers, weather, status, plainSentence(said));
        render(weather ? this.facts(weather) : nothing, this.figures);
        this.figures.hidden = !weather;
    }

    facts({ gateway, limit, nodes }) {
        const together = (way) => nodes.reduce((sum, node) => sum + (node.same_gateway ? node[way] ?? 0 : 0), 0);
        const fact = (name, value, title = "") => html`<div title=${title}><dt>${t(name)}</dt><dd>${value}</dd></div>`;
        const most = (way) => (gateway[way] === null || !gateway[`${way}_confidence`] ? nothing
            : html`<span class="ln-sub">${t("of_capacity", { rate: rate(gateway[way]) })}</span>`);
        return html`${fact("fact_gateway", t(`state_${gateway.state}`))}
            ${fact("fact_delay", milliseconds(gateway.delay_ms), t("fact_delay_help"))}
            ${fact("fact_up", html`${rate(together("up"))} ${most("up")}`)}
            ${fact("fact_down", html`${rate(together("down"))} ${most("down")}`)}
            ${fact("fact_limit", limit.up === null && limit.down === null ? t("limit_none")
                : [limit.up === null ? "" : `↑ ${rate(limit.up)}`, limit.down === null ? "" : `↓ ${rate(limit.down)}`].join(" ").trim(),
            t("fact_limit_help"))}`;
    }

    stop() { this.picture.stop(); }
}
