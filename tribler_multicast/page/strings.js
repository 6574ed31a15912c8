/*
 * Everything that the page says, in one table per language.
 *
 * `t("peers_online", {n: 3})` puts values in place of {n}; of a text with the endings _one, _other (and what else the
 * language has) it takes the one for n, and _zero for none. What a language lacks is said in English.
 */
import { en } from "./strings.en.js";

/** The others: each is fetched when it is first spoken, and by nobody else. */
const OTHERS = {
    es: () => import("./strings.es.js"),
    nl: () => import("./strings.nl.js"),
};

const tables = new Map([["en", en]]);

let current = "en";
let rules = new Intl.PluralRules("en");
let asked = 0;

/** The language spoken now, as BCP 47 has it. */
export function language() { return current; }

/**
 * Speak the first of these languages that there is; names as `nl`, `pt-BR` or `pt_BR`. Ready when its table is here; one that cannot
 * be had is passed over. Of several calls at the same time the last counts.
 */
export async function speak(...wanted) {
    const turn = asked += 1;
    let chosen = "en";
    for (const tag of wanted.filter(Boolean).map((name) => name.replace("_", "-"))) {
        const known = [tag, tag.split("-")[0]].find((name) => tables.has(name) || Object.hasOwn(OTHERS, name));
        if (known && await fetched(known)) {
            chosen = known;
            break;
        }
    }
    if (turn !== asked) return;
    current = chosen;
    rules = new Intl.PluralRules(chosen);
}

async function fetched(tag) {
    if (tables.has(tag)) return true;
    try {
        tables.set(tag, (await OTHERS[tag]()).default);
        return true;
    } catch { // the node is gone, or older than this module: English is here
        return false;
    }
}

/** Add a language: {key: text}. */
export function learn(tag, texts) { tables.set(tag, texts); }

/** Say it. */
export function t(key, values = {}) {
    const texts = tables.get(current);
    const none = values.n === 0 && Object.hasOwn(texts, `${key}_zero`);
    const name = values.n === undefined ? key : none ? `${key}_zero` : `${key}_${rules.select(values.n)}`;
    const text = texts[name] ?? texts[`${key}_other`] ?? en[name] ?? en[`${key}_other`] ?? en[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, word) => (word in values ? String(values[word]) : whole));
}
