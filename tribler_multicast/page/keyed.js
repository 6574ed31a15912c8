/*
 * Long lists, kept up to date without a pause.
 *
 * Each row is an element of its own, found by its key. Only rows of which something changed are drawn, a few milliseconds
 * of them per frame; the rest waits for the next frame. The focus stays where it is.
 */

const BUDGET = 6; // milliseconds of drawing per frame: a third of one

export class KeyedList {
    /**
     * @param {Element} parent whose children the rows are, and nothing else
     * @param {{tag: string, draw: (row: Element, item: object) => void, key: (one: object) => string, view: (one: object) => object}}
     *     options `key` tells things apart; `view` says what a row shows of a thing, and nothing else: the row is drawn again
     *     only when that changes. It is asked as late as the drawing itself.
     */
    constructor(parent, { tag, draw, key = (one) => one.key, view = (one) => one }) {
        Object.assign(this, { parent, tag, draw, key, view });
        this.rows = new Map(); // key -> {element, print}
        this.items = [];
        this.frame = 0;
        this.next = 0;
    }

    /** Show these, in this order. */
    show(items) {
        this.items = items;
        this.next = 0;
        this.removed = false;
        if (!this.frame) this.frame = requestAnimationFrame(() => this.work());
    }

    work() {
        this.frame = 0;
        const end = performance.now() + BUDGET;
        const focused = this.parent.contains(document.activeElement) ? document.activeElement : null;
        if (!this.removed) {
            const wanted = new Set(this.items.map(this.key));
            for (const [key, row] of this.rows) {
                if (wanted.has(key)) continue;
                row.element.remove();
                this.rows.delete(key);
            }
            this.removed = true;
            this.place = this.parent.firstElementChild;
        }
        while (this.next < this.items.length) {
            this.step(this.items[this.next]);
            this.next += 1;
            if (performance.now() > end) break;
        }
        if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
        if (this.next < this.items.length) this.frame = requestAnimationFrame(() => this.work());
    }

    step(one) {
        const key = this.key(one);
        let row = this.rows.get(key);
        if (!row) {
            row = { element: document.createElement(this.tag), print: "" };
            this.rows.set(key, row);
        }
        if (row.element === this.place) this.place = this.place.nextElementSibling;
        else this.parent.insertBefore(row.element, this.place);
        const item = this.view(one);
        const print = JSON.stringify(item);
        if (print !== row.print) {
            this.draw(row.element, item);
            row.print = print;
        }
    }

    stop() {
        cancelAnimationFrame(this.frame);
        this.frame = 0;
    }
}
