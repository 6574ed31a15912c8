/*
 * Subscriptions: feeds of publishers, whose new episodes come by themselves; and where the feed of this node is.
 */
import { foreign } from "./element.js";
import { ago } from "./format.js";
import { KeyedList } from "./keyed.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

export class Subscriptions {
    /** `act(method, path, body)` changes something. */
    constructor(root, { act }) {
        Object.assign(this, { root, act });
        this.pending = new Set();
        this.busy = false;
        this.problem = "";
        root.className = "ln-subscriptions";
        root.hidden = true;
        render(html`<div class="ln-bar"><h2 id="ln-feeds-title">${t("feeds")}</h2></div>
            <form class="ln-ask" @submit=${(event) => this.submit(event)}><input type="text" name="url" inputmode="url" autocomplete="off" spellcheck="false"
                placeholder=${t("feed_address")} aria-label=${t("feed_address")}><button type="submit" class="ln-button">${t("feed_add")}</button></form>
            <div class="ln-empty" role="status"></div><div class="ln-rows" role="list" aria-labelledby="ln-feeds-title"></div><p class="ln-sub"></p>`, root);
        [, this.form, this.empty, this.place, this.own] = root.children;
        this.list = new KeyedList(this.place, { tag: "div", draw: (row, item) => this.draw(row, item) });
    }

    show(model) {
        this.model = model;
        this.root.hidden = !model.can("feeds");
        if (this.root.hidden) return;
        const { feeds = [], own = null } = model.get("feeds") ?? {};
        const error = model.error("feeds");
        this.place.hidden = !feeds.length;
        render([this.problem ? html`<p class="ln-error" role="alert">${this.problem}</p>` : nothing,
            error ? html`<p class="ln-error">${error.message}</p>` : feeds.length ? nothing : html`<p class="ln-sub">${t("feeds_none")}</p>`], this.empty);
        render(own?.url ? html`${t("feed_own")} <code>${own.url}</code>` : own?.error ? foreign(own.error) : t("feed_own_none"), this.own);
        this.list.show(feeds.map((feed) => ({ key: feed.id, title: feed.title || feed.url, url: feed.url, state: feed.state, error: feed.error, begun: feed.begun,
            waiting: feed.waiting, looked: feed.last_check ? ago(feed.last_check) : "", pending: this.pending.has(feed.id) })));
    }

    draw(row, item) {
        row.setAttribute("role", "listitem");
        row.className = "ln-transfer";
        const facts = [t("feed_begun", { n: item.begun }), item.waiting ? t("feed_waiting", { n: item.waiting }) : "",
            item.looked ? t("feed_looked", { ago: item.looked }) : ""].filter(Boolean);
        render(html`<div class="ln-what">${foreign(item.title, "ln-title")}<p class="ln-sub ln-facts">${facts.map((fact) => html`<span>${fact}</span>`)}
                ${item.title === item.url ? nothing : foreign(item.url)}</p>${item.error ? html`<p class="ln-error">${foreign(item.error)}</p>` : nothing}</div>
            <div class="ln-actions"><button type="button" class="ln-button ln-small" ?disabled=${item.pending}
                aria-label=${t("feed_end_of", { name: item.title.slice(0, 100) })} @click=${() => this.end(item.key)}>${t("feed_end")}</button></div>`, row);
    }

    async submit(event) {
        event.preventDefault();
        const field = event.target.elements.url;
        const url = field.value.trim();
        if (!url || this.busy) return;
        Object.assign(this, { busy: true, problem: "" });
        try {
            await this.act("POST", "/feeds", { url, first: 1 });
            field.value = "";
        } catch (error) {
            this.problem = error.message;
        }
        this.busy = false;
        this.show(this.model);
    }

    async end(id) {
        this.pending.add(id);
        this.show(this.model);
        await this.act("DELETE", `/feeds/${id}`).catch(() => {});
        this.pending.delete(id);
        this.show(this.model);
    }

    stop() { this.list.stop(); }
}
