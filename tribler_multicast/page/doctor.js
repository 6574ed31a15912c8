/*
 * What may keep nodes from seeing each other, and what to do.
 */
import { notice } from "./element.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

const ORDER = ["error", "warning", "info", "ok"];

export class Doctor {
    constructor(root, { api }) {
        Object.assign(this, { root, api });
        this.findings = null;
        this.problem = null;
        this.busy = false;
        root.className = "ln-doctor";
    }

    /** Opened by the user: examine, unless it was done. */
    show() {
        if (!this.findings && !this.problem && !this.busy) this.examine();
        else this.draw();
    }

    async examine() {
        this.busy = true;
        this.draw();
        try {
            const { findings } = await this.api.get("/doctor");
            this.findings = findings.map((finding, place) => [finding, place])
                .sort(([one, first], [other, second]) => ORDER.indexOf(one.severity) - ORDER.indexOf(other.severity) || first - second)
                .map(([finding]) => finding);
            this.problem = null;
        } catch (error) {
            this.problem = error;
        }
        this.busy = false;
        this.draw();
    }

    draw() {
        const bad = this.findings?.filter(({ severity }) => severity === "error" || severity === "warning").length ?? 0;
        render(html`<div class="ln-bar"><h2>${t("check")}</h2><span class="ln-count" role="status">${this.busy ? t("checking")
            : this.findings ? t("check_result", { n: bad }) : ""}</span>
            <button type="button" class="ln-button ln-small" ?disabled=${this.busy} @click=${() => this.examine()}>${t("check_again")}</button></div>
            ${this.problem ? notice("error", t("check_failed"), this.problem.message) : nothing}
            ${this.findings ? html`<ul class="ln-card ln-findings">${this.findings.map(({ severity, what, advice }) => html`<li data-severity=${severity}>
                <span class="ln-severity">${t(`severity_${severity}`)}</span><div><p>${what}</p>${advice ? html`<p class="ln-sub">${advice}</p>` : nothing}</div></li>`)}</ul>`
                : this.busy ? html`<p class="ln-loading">${t("checking_long")}</p>` : nothing}`, this.root);
    }
}
