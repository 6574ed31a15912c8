/*
 * The weather over time: how long who waits at the gateway, what all nodes move, and what they do now.
 */
import { Chart } from "./chart.js";
import { foreign, notice } from "./element.js";
import { milliseconds, rate, timeOfDay } from "./format.js";
import { nameOf } from "./naming.js";
import { sentence } from "./sentence.js";
import { sentenceOf } from "./sky.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

const RANGES = [3600, 6 * 3600, 24 * 3600]; // seconds
const ROWS = 60; // of the table that has the charts in figures

export class Weather {
    constructor(root, { set }) {
        this.root = root;
        this.set = set; // changes a setting
        this.range = RANGES[0];
        this.asked = false;
        this.charts = null;
        root.className = "ln-weather";
    }

    show(model) {
        this.model = model;
        const [error, weather] = [model.error("weather"), model.get("weather")];
        const known = weather && !error;
        if (known && !this.charts) this.build();
        if (!known) {
            this.stop();
            render(error ? this.off(error, model.get("settings")) : html`<p class="ln-loading" role="status">${t("weather_loading")}</p>`, this.root);
            return;
        }
        const minutes = model.get("history") ?? [];
        render(sentenceOf(sentence(weather, model.get("peers") ?? [], model.get("status"))), this.say);
        const until = Date.now() / 1000;
        const shown = minutes.filter(({ time }) => time >= until - this.range);
        for (const chart of this.charts) chart.show(shown, until - this.range, until);
        this.waiting.hidden = shown.length > 0;
        for (const figure of this.root.querySelectorAll("figure, details")) figure.hidden = !shown.length;
        this.drawNodes(weather, model.get("peers") ?? []);
        this.drawTable(shown);
    }

    /** The setting is off, or the node is. */
    off(error, settings) {
        const setting = settings?.find(({ name }) => name === "weather");
        if (error.status !== 503 || !setting) return notice("error", t("weather_fails"), error.message);
        if (setting.value && setting.needs_restart) return notice("empty", t("weather_waits"), t("weather_waits_do"));
        if (setting.value) return html`<p class="ln-loading" role="status">${t("weather_loading")}</p>`;
        return notice("empty", t("weather_off"), t("weather_off_do"), html`<button type="button" class="ln-button" data-kind="main"
            ?disabled=${this.asked} @click=${() => this.switchOn()}>${t("weather_on")}</button>`);
    }

    async switchOn() {
        this.asked = true;
        try {
            await this.set({ weather: true });
        } finally {
            this.asked = false;
            this.show(this.model);
        }
    }

    build() {
        render(nothing, this.root);
        render(html`<div class="ln-say" aria-live="polite"></div>
            <div class="ln-bar"><h2>${t("weather_history")}</h2><div class="ln-ranges" role="group" aria-label=${t("weather_range")}></div></div>
            <p class="ln-sub" role="status">${t("weather_collecting")}</p>
            <figure class="ln-card"><figcaption>${t("chart_delay")}</figcaption><div></div></figure>
            <figure class="ln-card"><figcaption>${t("chart_rates")} <span class="ln-key" data-line="up">${t("up")}</span>
                <span class="ln-key" data-line="down">${t("down")}</span> <span class="ln-key" data-line="limit">${t("chart_limit")}</span></figcaption><div></div></figure>
            <details class="ln-numbers"><summary>${t("weather_table")}</summary><div></div></details>
            <h2>${t("weather_nodes")}</h2><div class="ln-doings"></div>`, this.root);
        const find = (selector) => this.root.querySelector(selector);
        Object.assign(this, { say: find(".ln-say"), waiting: find("p.ln-sub"), numbers: find("details > div"), doings: find(".ln-doings"),
            details: find("details") });
        const [first, second] = this.root.querySelectorAll("figure > div");
        this.charts = [
            new Chart(first, { height: 170, least: 20, words: milliseconds, states: true, label: () => t("chart_delay"),
                lines: [{ name: "delay", of: (minute) => minute.delay_ms, area: true }] }),
            new Chart(second, { height: 190, least: 10000, words: rate, label: () => t("chart_rates"),
                lines: [{ name: "down", of: (minute) => minute.down, area: true }, { name: "up", of: (minute) => minute.up, area: true },
                    { name: "limit", of: (minute) => minute.limit_up }] }),
        ];
        this.details.addEventListener("toggle", () => this.show(this.model));
        this.drawRanges();
    }

    drawRanges() {
        render(RANGES.map((range) => html`<button type="button" class="ln-button ln-small" aria-pressed=${range === this.range}
            @click=${() => this.choose(range)}>${t("hours", { n: range / 3600 })}</button>`), this.root.querySelector(".ln-ranges"));
    }

    choose(range) {
        this.range = range;
        this.drawRanges();
        this.show(this.model);
    }

    drawTable(minutes) {
        if (!this.details.open) return;
        const cells = ["time", "state", "delay", "up", "down"];
        render(html`<table class="ln-plain"><thead><tr>${cells.map((name) => html`<th scope="col">${t(`at_${name}`)}</th>`)}</tr></thead>
            <tbody>${minutes.slice(-ROWS).reverse().map((minute) => html`<tr><th scope="row">${timeOfDay(minute.time)}</th>
                <td>${t(`state_${minute.state}`)}</td><td>${milliseconds(minute.delay_ms)}</td><td>${rate(minute.up)}</td>
                <td>${rate(minute.down)}</td></tr>`)}</tbody></table>`, this.numbers);
    }

    drawNodes({ nodes }, peers) {
        const known = new Map(peers.map((peer) => [peer.mid, peer]));
        const me = this.model.get("status")?.mid;
        const name = (mid) => (mid === me ? html`<strong>${t("this_node")}</strong>` : known.has(mid) ? foreign(nameOf(known.get(mid))) : mid.slice(0, 10));
        const notes = (node) => [node.same_gateway || node.mid === me ? "" : t("other_gateway"), node.own_link_slow ? t("node_slow") : "",
            node.needs_room ? t("node_room") : ""].filter(Boolean).join(", ");
        render(nodes.length ? html`<ul class="ln-list">${nodes.slice(0, 200).map((node) => html`<li><span>${name(node.mid)}</span>
            <span class="ln-doing" data-activity=${node.activity}>${t(`activity_${node.activity}`)}</span>
            <span class="ln-sub">↑ ${rate(node.up)} ↓ ${rate(node.down)}</span><span class="ln-sub">${notes(node)}</span></li>`)}</ul>`
            : html`<p class="ln-sub">${t("weather_nobody")}</p>`, this.doings);
    }

    stop() {
        for (const chart of this.charts ?? []) chart.stop();
        this.charts = null;
    }
}
