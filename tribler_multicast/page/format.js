/*
 * Figures in words.
 */
import { language, t } from "./strings.js";

const UNITS = ["B", "kB", "MB", "GB", "TB"];

const makers = new Map();

/** A formatter of the language, made once: making one takes longer than using it a hundred times. */
function formatter(kind, options) {
    const name = `${kind} ${language()} ${Object.values(options).join(" ")}`;
    let made = makers.get(name);
    if (!made) makers.set(name, made = new Intl[kind](language(), options));
    return made;
}

function number(value, digits) {
    return formatter("NumberFormat", { maximumFractionDigits: digits }).format(value);
}

/** An amount of bytes; null: not known. */
export function bytes(value) {
    if (value === null || value === undefined) return "–";
    let unit = 0;
    let amount = value;
    while (amount >= 999.5 && unit < UNITS.length - 1) {
        amount /= 1000;
        unit += 1;
    }
    return `${number(amount, unit && amount < 99.5 ? 1 : 0)}\u00a0${UNITS[unit]}`;
}

/** Bytes per second. */
export function rate(value) {
    return value === null || value === undefined ? "–" : `${bytes(value)}/s`;
}

export function milliseconds(value) {
    if (value === null || value === undefined) return "–";
    return `${number(value, value < 10 ? 1 : 0)}\u00a0ms`;
}

/** Seconds that something is late. */
export function seconds(value) { return `${number(value, value < 10 ? 1 : 0)}\u00a0s`; }

export function percent(part) {
    return `${number(Math.floor(part * 1000) / 10, part < 0.1 ? 1 : 0)}\u00a0%`;
}

/** Seconds that something still takes, or took. */
export function duration(seconds) {
    if (seconds === null || seconds === undefined) return "–";
    if (seconds < 60) return t("duration_s", { s: number(Math.ceil(seconds), 0) });
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return t("duration_min", { min: number(minutes, 0) });
    const hours = Math.floor(minutes / 60);
    return hours < 48 ? t("duration_h", { h: number(hours, 0), min: number(minutes % 60, 0) })
        : t("duration_d", { d: number(Math.round(hours / 24), 0) });
}

/** How long ago a moment (Unix seconds) was. */
export function ago(moment) {
    const passed = Math.max(0, Date.now() / 1000 - moment);
    if (passed < 15) return t("just_now");
    const words = formatter("RelativeTimeFormat", { numeric: "always", style: "short" });
    for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
        if (passed >= size) return words.format(-Math.floor(passed / size), unit);
    }
    return words.format(-10 * Math.floor(passed / 10), "second");
}

export function clock(moment) {
    return formatter("DateTimeFormat", { dateStyle: "medium", timeStyle: "medium" }).format(moment * 1000);
}

export function timeOfDay(moment) {
    return formatter("DateTimeFormat", { hour: "2-digit", minute: "2-digit" }).format(moment * 1000);
}

/** The first digits of a hash, enough to tell nodes apart by eye. */
export function short(id) {
    return id.slice(0, 10);
}
