/*
 * What this node offers to the others, and offering more.
 */
import { foreign, notice } from "./element.js";
import { bytes } from "./format.js";
import { KeyedList } from "./keyed.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

export class Offers {
    constructor(root, { act, browse }) {
        Object.assign(this, { root, act, browse });
        this.busy = ""; // the path that is being hashed
        this.problem = "";
        this.pending = new Set();
        root.className = "ln-offered";
        render(html`<div class="ln-bar"><h2 id="ln-offers-title">${t("offers")}</h2><button type="button" class="ln-button ln-small" data-kind="main"
            @click=${() => this.add()}>${t("offer")}</button></div><div class="ln-empty" role="status"></div>
            <div class="ln-rows" role="list" aria-labelledby="ln-offers-title"></div>`, root);
        this.button = root.querySelector("button");
        [, this.empty, this.place] = root.children;
        this.list = new KeyedList(this.place, { tag: "div", draw: (row, item) => this.draw(row, item) });
    }

    show(model) {
        this.model = model;
        const offers = model.get("publications") ?? [];
        const error = model.error("publications");
        this.place.hidden = !offers.length;
        this.button.disabled = Boolean(error || this.busy);
        render([this.busy ? html`<p class="ln-sub">${t("offer_hashing")} ${foreign(this.busy)}</p>` : nothing,
            this.problem ? html`<p class="ln-error" role="alert">${this.problem}</p>` : nothing,
            error ? notice("error", t("offers_fail"), error.message)
                : offers.length || this.busy ? nothing : html`<p class="ln-sub">${t("offers_none")}</p>`], this.empty);
        this.list.show(offers.map((one) => ({ key: one.content_id, ...one, pending: this.pending.has(one.content_id) })));
    }

    draw(row, item) {
        row.setAttribute("role", "listitem");
        row.className = "ln-transfer";
        const facts = [bytes(item.size), item.files === 1 ? "" : t("files", { n: item.files }), item.receivers ? t("receivers", { n: item.receivers }) : "",
            item.finished ? t("finished", { n: item.finished }) : "", item.uploaded ? t("sent_total", { amount: bytes(item.uploaded) }) : ""].filter(Boolean);
        render(html`<div class="ln-what">${foreign(item.name, "ln-title")}<p class="ln-sub ln-facts">${facts.map((fact) => html`<span>${fact}</span>`)}
                <code title=${item.content_id}>${item.content_id.slice(0, 10)}</code></p>
                ${item.error ? html`<p class="ln-error">${foreign(item.error)}</p>` : nothing}</div>
            <div class="ln-actions"><button type="button" class="ln-button ln-small" ?disabled=${item.pending} aria-label=${t("offer_end_of", { name: item.name.slice(0, 100) })}
                @click=${() => this.end(item)}>${t("offer_end")}</button></div>`, row);
    }

    async add() {
        const path = await this.browse.choose(t("offer_choose"));
        if (path === null) return;
        [this.busy, this.problem] = [path, ""];
        this.show(this.model);
        try {
            await this.act("POST", "/publications", { path });
        } catch (error) {
            this.problem = error.message;
        }
        this.busy = "";
        this.show(this.model);
    }

    async end({ key }) {
        this.pending.add(key);
        this.show(this.model);
        await this.act("DELETE", `/publications/${key}`).catch(() => {});
        this.pending.delete(key);
        this.show(this.model);
    }

    stop() { this.list.stop(); }
}
