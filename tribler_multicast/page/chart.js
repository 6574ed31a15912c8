/*
 * A chart over time, drawn in pixels so that its text keeps its size; minutes that nobody saw are a gap.
 */
import { timeOfDay } from "./format.js";
import { html, render, svg } from "./vendor/lit-html.js";

const LEFT = 64;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 22;
const MINUTE = 60;

/** A round figure at or above. */
function ceiling(value) {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

/**
 * Draws lines: {root, height, label, lines: [{name, of: minute => value or null, area}], words: value => text, least}. `least` is the
 * least top of the scale.
 */
export class Chart {
    constructor(root, options) {
        Object.assign(this, options, { root });
        this.width = 0;
        this.observer = new ResizeObserver(([{ contentRect }]) => {
            const width = Math.round(contentRect.width);
            if (width && width !== this.width) {
                this.width = width;
                this.draw();
            }
        });
        this.observer.observe(root);
    }

    show(minutes, from, until) {
        Object.assign(this, { minutes, from, until });
        this.draw();
    }

    draw() {
        if (!this.width || !this.minutes) return;
        const { minutes, from, until, width, height } = this;
        const inner = width - LEFT - RIGHT;
        const deep = height - TOP - BOTTOM;
        const top = ceiling(Math.max(this.least, ...minutes.flatMap((minute) => this.lines.map(({ of }) => of(minute) ?? 0))));
        const x = (time) => LEFT + (inner * (time - from)) / (until - from);
        const y = (value) => TOP + deep * (1 - value / top);
        const step = [600, 900, 1800, 3600, 7200, 14400, 21600].find((size) => (until - from) / size <= inner / 70) ?? 43200;
        const marks = [];
        const shift = new Date(from * 1000).getTimezoneOffset() * 60;
        for (let time = Math.ceil((from - shift) / step) * step + shift; x(time) < width - 28; time += step) {
            if (x(time) > LEFT + 20) marks.push(time);
        }
        render(html`<svg role="img" aria-label=${this.label()} viewBox="0 0 ${width} ${height}" width=${width} height=${height}>
            ${[0, 0.5, 1].map((part) => svg`<line class="ln-grid" x1=${LEFT} x2=${width - RIGHT} y1=${y(part * top)} y2=${y(part * top)}></line>
                <text class="ln-label" x=${LEFT - 8} y=${y(part * top) + 4} text-anchor="end">${this.words(part * top)}</text>`)}
            ${marks.map((time) => svg`<text class="ln-label" x=${x(time)} y=${height - 6} text-anchor="middle">${timeOfDay(time)}</text>`)}
            ${this.lines.map((line) => this.line(line, x, y))}
            ${this.states ? minutes.map((minute) => svg`<rect class="ln-state" data-state=${minute.state} x=${x(minute.time)} y=${height - BOTTOM}
                width=${Math.max(1, x(minute.time + MINUTE) - x(minute.time))} height="4"></rect>`) : ""}
        </svg>`, this.root);
    }

    line({ name, of, area }, x, y) {
        const runs = [];
        let last = null;
        for (const minute of this.minutes) {
            const value = of(minute);
            if (value === null) {
                last = null;
                continue;
            }
            if (last === null || minute.time - last > 2.5 * MINUTE) runs.push([]);
            runs.at(-1).push([x(minute.time), y(value)], [x(Math.min(minute.time + MINUTE, this.until)), y(value)]);
            last = minute.time;
        }
        const path = (run) => `M${run.map(([across, down]) => `${across.toFixed(1)} ${down.toFixed(1)}`).join("L")}`;
        return svg`<g class="ln-line" data-line=${name}>
            ${area ? svg`<path class="ln-area" d=${runs.map((run) => `${path(run)}V${y(0)}H${run[0][0].toFixed(1)}Z`).join("")}></path>` : ""}
            <path class="ln-stroke" d=${runs.map(path).join("")}></path></g>`;
    }

    stop() { this.observer.disconnect(); }
}
