// The page "Local network" of tribler-multicast, put here by `tribler-multicast install`, taken out by `... uninstall`.
import {createElement, forwardRef, useEffect, useState} from "react";
import {IconProps} from "@radix-ui/react-icons/dist/types";
import {useTranslation} from "react-i18next";

// The plugin serves the module: this Tribler may have been built long before it, and run without it.
const MODULE = "/ui/multicast/local-network.js";

export function isLocalNetworkThere(): boolean {
    return "triblerLocalNetwork" in window;
}

export const LocalNetworkIcon = forwardRef<SVGSVGElement, IconProps>(({color = "currentColor", ...props}, ref) => (
    <svg width="15" height="15" viewBox="0 0 15 15" fill="none" stroke={color} aria-hidden="true" {...props} ref={ref}>
        <circle cx="7.5" cy="2.8" r="1.8" />
        <circle cx="2.8" cy="12.2" r="1.8" />
        <circle cx="12.2" cy="12.2" r="1.8" />
        <path d="M7.5 4.6v3M2.8 10.4V7.6h9.4v2.8" />
    </svg>
));
LocalNetworkIcon.displayName = "LocalNetworkIcon";

function Element({view}: {view?: string}) {
    const {i18n} = useTranslation();
    const [failed, setFailed] = useState(!isLocalNetworkThere());

    useEffect(() => {
        if (!failed) import(/* @vite-ignore */ MODULE).catch(() => setFailed(true));
    }, []);

    if (failed) return <p className="p-6 text-muted-foreground">tribler-multicast is not running in this Tribler.</p>;
    return (
        <div className="tribler-multicast-page">
            {createElement("tribler-local-network", {
                lang: i18n.language.slice(0, 2),
                ...(view ? {view, bare: true} : {}),
            })}
        </div>
    );
}

export function LocalNetwork() {
    return <Element />;
}

export function LocalNetworkSettings() {
    return <Element view="settings" />;
}
