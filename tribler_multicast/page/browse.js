/*
 * Choosing a file or folder of the node's machine.
 */
import { foreign } from "./element.js";
import { KeyedList } from "./keyed.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

export class Browse {
    constructor(root, { api }) {
        Object.assign(this, { root, api });
    }

    /** Let the user choose; the path, or null. `folders`: only folders can be chosen. */
    choose(title) {
        this.close(null);
        render(html`<dialog class="ln-dialog" aria-label=${title} @close=${() => this.close(null)}>
            <header class="ln-bar"><h2>${title}</h2><button type="button" class="ln-button ln-small" @click=${() => this.close(null)}>${t("cancel")}</button></header>
            <p class="ln-where"></p><div class="ln-entries" role="list"></div>
            <footer class="ln-bar"></footer></dialog>`, this.root);
        const find = (selector) => this.root.querySelector(selector);
        Object.assign(this, { dialog: find("dialog"), where: find(".ln-where"), foot: find("footer") });
        this.list = new KeyedList(find(".ln-entries"), { tag: "div", draw: (row, item) => this.draw(row, item) });
        this.dialog.showModal();
        this.look(null);
        return new Promise((resolve) => { this.resolve = resolve; });
    }

    async look(path) {
        const turn = this.turn = {};
        const query = path === null ? "?files=true" : `?files=true&path=${encodeURIComponent(path)}`;
        try {
            const { current, paths } = await this.api.get(`/browse${query}`);
            if (this.turn !== turn) return;
            render(html`<code>${foreign(current)}</code>`, this.where);
            render(html`<button type="button" class="ln-button" data-kind="main" @click=${() => this.close(current)}>${t("offer_folder")}</button>`, this.foot);
            this.list.show(paths.map((entry) => ({ key: entry.path + (entry.name === ".." ? "/.." : ""), ...entry })));
            if (paths.length === 1) render(html`<code>${foreign(current)}</code> <span class="ln-sub">${t("folder_empty")}</span>`, this.where);
        } catch (error) {
            if (this.turn === turn) render(html`<span class="ln-error" role="alert">${error.message}</span>`, this.where);
        }
    }

    draw(row, { name, path, dir }) {
        row.setAttribute("role", "listitem");
        render(html`<button type="button" class="ln-entry" data-dir=${dir} @click=${() => (dir ? this.look(path) : this.close(path))}>
            <span aria-hidden="true">${name === ".." ? "↑" : dir ? "▸" : "·"}</span>${name === ".." ? t("folder_up") : foreign(name)}
            ${dir ? nothing : html`<span class="ln-sub">${t("offer_this")}</span>`}</button>`, row);
    }

    close(path) {
        this.turn = null;
        this.list?.stop();
        this.resolve?.(path);
        this.resolve = null;
        render(nothing, this.root);
    }

    stop() { this.close(null); }
}
