/*
 * All settings, from the table that the node has of them.
 */
import { notice } from "./element.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

/** Rooms, and the settings in them; what is in none comes last. */
const ROOMS = {
    you: ["enabled", "nickname", "visibility", "visibility_networks", "policy", "group_passphrase"],
    weather: ["weather", "step_aside", "room_for_others", "least_share"],
    sharing: ["share", "download_folder", "coded", "cooperate", "untrusted", "transfer_rate", "upload_rate", "download_rate", "search_local_peers"],
    network: ["interfaces", "interfaces_deny", "ipv4", "ipv6", "introduction_interval", "port", "control_port"],
    torrents: ["torrent_port", "connections", "dht", "feed_interval", "feed_port", "feed_upload_url", "feed_upload_method", "feed_upload_token"],
};

export class SettingsView {
    /** `set({name: value})` changes settings; raises an ApiError. */
    constructor(root, { set }) {
        Object.assign(this, { root, set });
        this.fates = new Map(); // name -> {state: "saving" | "saved" | "failed", text}
        root.className = "ln-settings";
    }

    show(model) {
        this.model = model;
        const settings = model.get("settings");
        if (!settings) {
            const error = model.error("settings");
            render(error ? notice("error", t("settings_fail"), error.message) : html`<p class="ln-loading" role="status">${t("loading")}</p>`, this.root);
            return;
        }
        const known = new Map(settings.map((setting) => [setting.name, setting]));
        const named = new Set(Object.values(ROOMS).flat());
        const rooms = { ...ROOMS, more: settings.map(({ name }) => name).filter((name) => !named.has(name)) };
        render(Object.entries(rooms).filter(([, names]) => names.some((name) => known.has(name))).map(([room, names]) => html`
            <section class="ln-room" aria-labelledby="ln-room-${room}"><h2 id="ln-room-${room}">${t(`room_${room}`)}</h2>
            <div class="ln-card">${names.filter((name) => known.has(name)).map((name) => this.setting(known.get(name)))}</div></section>`), this.root);
    }

    setting(setting) {
        const id = `ln-set-${setting.name}`;
        const fate = this.fates.get(setting.name);
        const label = t(`set_${setting.name}`);
        return html`<div class="ln-setting" data-name=${setting.name}>
            <div><label for=${id}>${label.startsWith("set_") ? setting.name.replaceAll("_", " ") : label}</label>
                <p class="ln-sub" id="${id}-help">${setting.help}${setting.needs_restart ? html` <em>${t("needs_restart")}</em>` : nothing}</p>
                <p class="ln-fate" role="status" data-state=${fate?.state ?? ""}>${fate?.text ?? ""}</p></div>
            <div class="ln-control">${this.control(setting, id)}${setting.unit ? html`<span class="ln-sub">${setting.unit}</span>` : nothing}</div></div>`;
    }

    control(setting, id) {
        const { name, type, value, choices, minimum, maximum } = setting;
        const help = `${id}-help`;
        if (type === "bool") {
            return html`<input type="checkbox" role="switch" class="ln-switch" id=${id} aria-describedby=${help} .checked=${value}
                @change=${(event) => this.change(name, event.target.checked, event.target)}>`;
        }
        if (choices) {
            return html`<select id=${id} aria-describedby=${help} @change=${(event) => this.change(name, event.target.value, event.target)}>
                ${choices.map((choice) => html`<option value=${choice} ?selected=${choice === value}>${choice.replaceAll("_", " ")}</option>`)}</select>`;
        }
        if (type === "int" || type === "float") {
            return html`<input type="number" id=${id} aria-describedby=${help} min=${minimum ?? nothing} max=${maximum ?? nothing}
                step=${type === "int" ? 1 : "any"} .value=${String(value)} @change=${(event) => this.number(setting, event.target)}>`;
        }
        if (type === "list") {
            return html`<input type="text" id=${id} aria-describedby=${help} spellcheck="false" .value=${value.join(", ")} placeholder=${t("list_placeholder")}
                @change=${(event) => this.change(name, event.target.value.split(",").map((item) => item.trim()).filter(Boolean), event.target)}>`;
        }
        const secret = value === null;
        return html`<input type=${secret ? "password" : "text"} id=${id} aria-describedby=${help} autocomplete=${secret ? "new-password" : "off"} spellcheck="false"
            .value=${value ?? ""} placeholder=${secret && setting.is_set ? t("secret_set") : ""} @change=${(event) => this.change(name, event.target.value, event.target)}>`;
    }

    number({ name, type }, input) {
        const value = input.valueAsNumber;
        if (Number.isNaN(value)) this.tell(name, "failed", t("not_a_number"));
        else this.change(name, type === "int" ? Math.trunc(value) : value, input);
    }

    async change(name, value, input) {
        this.tell(name, "saving", t("saving"));
        try {
            await this.set({ [name]: value });
            this.tell(name, "saved", t("saved"));
            if (input.type === "password") input.value = "";
        } catch (error) {
            if (input.type === "checkbox") input.checked = !value;
            this.tell(name, "failed", error.message);
        }
    }

    tell(name, state, text) {
        this.fates.set(name, { state, text });
        this.show(this.model);
    }
}
