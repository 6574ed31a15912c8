/*
 * The network as a picture: the gateway in the middle, the nodes around it, the internet above. Links have the colour of
 * what waits on them. All of it is told by the table, too; those who hear the page are told the sentence.
 */
import { rate, short } from "./format.js";
import { inOrder, localState } from "./naming.js";
import { t } from "./strings.js";
import { html, nothing, render, svg } from "./vendor/lit-html.js";

const MOST = 24; // nodes in the picture; the others are a figure
const LABELLED = 14; // with more nodes than this, names would be over each other
const HEIGHT = 300;
const LONGEST_NAME = 14;
const SLOW = 30; // milliseconds of queue, from which on a node suffers (docs/weather.md, bloat)

/** Which nodes are drawn. When there are too many, friends and those who do something. */
function chosen(peers, doing) {
    const weight = (peer) => (peer.friend === "mutual" ? 2 : 0) + ((doing.get(peer.mid)?.activity ?? "idle") === "idle" ? 0 : 1);
    const here = inOrder(peers.filter((peer) => localState(peer) === "online"));
    return here.length <= MOST ? here : here.sort((one, other) => weight(other) - weight(one)).slice(0, MOST);
}

function cut(text) {
    const letters = [...text];
    return letters.length > LONGEST_NAME ? `${letters.slice(0, LONGEST_NAME - 1).join("")}…` : text;
}

/** Congestion of the link of one node. */
function linkState(said) {
    if (!said) return "unknown";
    if (said.own_link_slow) return "slow";
    return said.delay_ms !== null && said.delay_ms > SLOW ? "suspected" : "clear";
}

export class Picture {
    constructor(root) {
        this.root = root;
        root.className = "ln-picture";
        this.width = 0;
        this.print = "";
        this.observer = new ResizeObserver(([{ contentRect }]) => {
            const width = Math.round(contentRect.width);
            if (width && width !== this.width) {
                this.width = width;
                this.draw();
            }
        });
        this.observer.observe(root);
    }

    show(peers, weather, status, said) {
        const doing = new Map((weather?.nodes ?? []).map((node) => [node.mid, node]));
        const nodes = chosen(peers, doing).map((peer) => ({
            key: peer.mid, name: peer.nickname, friend: peer.friend === "mutual", activity: doing.get(peer.mid)?.activity ?? peer.activity ?? "idle",
            link: weather ? linkState(doing.get(peer.mid)) : "unknown",
            up: doing.get(peer.mid)?.up ?? peer.up ?? 0, down: doing.get(peer.mid)?.down ?? peer.down ?? 0,
        }));
        const here = peers.reduce((sum, peer) => sum + (localState(peer) === "online"), 0);
        const own = doing.get(status?.mid);
        const scene = {
            nodes, more: here - nodes.length, me: status?.nickname || t("this_node"), mine: own?.activity ?? "idle", said,
            router: status?.interfaces.find(({ gateway, joined }) => gateway && joined.length)?.gateway.ip ?? "",
            wan: weather?.gateway.state ?? "unknown", own: weather ? weather.own_link.state : "unknown",
        };
        const print = JSON.stringify(scene);
        if (print === this.print) return;
        this.print = print;
        this.scene = scene;
        this.draw();
    }

    draw() {
        if (!this.width || !this.scene) return;
        const { nodes, more, me, mine, router, wan, own, said } = this.scene;
        const [width, middle, centre] = [this.width, this.width / 2, 168];
        const [wide, high] = [Math.min(middle - 62, 120 + 26 * nodes.length, 420), 96];
        const all = [{ key: "me", name: me, me: true, activity: mine, link: own === "clear" ? "clear" : own === "unknown" ? "unknown" : "slow" },
            ...nodes];
        const spots = all.map((node, place) => {
            // From below, on both sides upwards; nobody stands in the way of the internet.
            const turn = Math.PI / 2 + ((place % 2 ? 1 : -1) * Math.ceil(place / 2) * (2 * Math.PI - 1.3)) / Math.max(all.length, 4);
            return { ...node, x: middle + wide * Math.cos(turn), y: centre + high * Math.sin(turn) };
        });
        const labels = all.length <= LABELLED;
        render(html`<svg role="img" aria-label=${t("picture", { n: nodes.length, said })} viewBox="0 0 ${width} ${HEIGHT}" width=${width}
                height=${HEIGHT}>
            <g class="ln-links">${svg`<line data-link=${wan} class="ln-wan" x1=${middle} y1="44" x2=${middle} y2=${centre}></line>`}
                ${spots.map((node) => this.link(node, middle, centre))}</g>
            ${this.internet(middle)}${this.gateway(middle, centre, router)}
            ${spots.map((node) => this.node(node, labels))}
            ${more > 0 ? svg`<text class="ln-label" x=${width - 12} y=${HEIGHT - 12} text-anchor="end">${t("picture_more", { n: more })}</text>` : nothing}
        </svg>`, this.root);
    }

    link(node, x, y) {
        const busy = node.activity !== "idle";
        return svg`<line data-link=${node.link} data-busy=${busy} x1=${x} y1=${y} x2=${node.x} y2=${node.y}></line>`;
    }

    internet(x) {
        return svg`<g class="ln-internet" transform="translate(${x} 34)">
            <path d="M-24 10a10 10 0 0 1 1-20 14 14 0 0 1 27-5 11 11 0 0 1 19 7 9 9 0 0 1 1 18z"></path>
            <text class="ln-label" x="38" y="4">${t("internet")}</text></g>`;
    }

    gateway(x, y, ip) {
        return svg`<g class="ln-gateway" transform="translate(${x} ${y})"><title>${ip ? t("gateway_at", { ip }) : t("gateway_none")}</title>
            <rect x="-22" y="-14" width="44" height="28" rx="7"></rect>
            <circle cx="-10" cy="0" r="2.5"></circle><circle cx="0" cy="0" r="2.5"></circle><circle cx="10" cy="0" r="2.5"></circle></g>`;
    }

    node({ key, name, me, friend, activity, x, y, up, down }, labels) {
        const who = name || short(key);
        const title = me ? who : `${who}${activity === "idle" ? "" : `\n${t(`activity_${activity}`)}`}${up || down
            ? `\n↑ ${rate(up)} ↓ ${rate(down)}` : ""}`;
        return svg`<g class="ln-node" data-activity=${activity} data-friend=${Boolean(friend)} data-me=${Boolean(me)} transform="translate(${x} ${y})">
            <title>${title}</title><circle r=${me ? 11 : 9}></circle>
            ${labels || me ? svg`<text class="ln-label" y="25" text-anchor="middle">${cut(who)}</text>` : nothing}</g>`;
    }

    stop() { this.observer.disconnect(); }
}
