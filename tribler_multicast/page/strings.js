/*
 * Everything that the page says, in one table per language.
 *
 * `t("peers_online", {n: 3})` puts values in place of {n}; of a text with the endings _one, _other (and what else the
 * language has) it takes the one for n, and _zero for none. What a language lacks is said in English.
 */
import { en } from "./strings.en.js";

const LANGUAGES = { en };

let current = "en";
let rules = new Intl.PluralRules("en");

/** The language spoken now, as BCP 47 has it. */
export function language() { return current; }

/** Speak the first of these languages that there is; names as `nl`, `pt-BR` or `pt_BR`. */
export function speak(...wanted) {
    for (const name of wanted) {
        if (!name) continue;
        const tag = name.replace("_", "-");
        for (const known of [tag, tag.split("-")[0]]) {
            if (!Object.hasOwn(LANGUAGES, known)) continue;
            current = known;
            rules = new Intl.PluralRules(known);
            return;
        }
    }
    current = "en";
    rules = new Intl.PluralRules("en");
}

/** Add a language: {key: text}. */
export function learn(tag, texts) { LANGUAGES[tag] = texts; }

/** Say it. */
export function t(key, values = {}) {
    const texts = LANGUAGES[current];
    const none = values.n === 0 && Object.hasOwn(texts, `${key}_zero`);
    const name = values.n === undefined ? key : none ? `${key}_zero` : `${key}_${rules.select(values.n)}`;
    const text = texts[name] ?? en[name] ?? en[`${key}_other`] ?? en[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, word) => (word in values ? String(values[word]) : whole));
}
