/*
 * A live stream in a media element: as a playlist where the browser needs one, else as it is.
 */
const PLAYLISTS = new Set(["video/mp2t", "video/mp4"]); // what the node makes a playlist of
const OPTIONS = {
    enableWorker: false, // a worker would need scripts from anywhere
    liveSyncDurationCount: 2, liveMaxLatencyDurationCount: 8, maxLiveSyncPlaybackRate: 1.1,
    backBufferLength: 30, maxBufferLength: 20, maxMaxBufferLength: 60,
};

/** Where a live stream is, with the token that opens it and nothing else. */
export function liveAddress(api, { stream_id: id, token }, file = "") {
    return `${api.base}/streams/${id}${file}?token=${encodeURIComponent(token)}`;
}

/**
 * Play it; `failed()` when this browser can't. Returns what ends it; its `latency()` are the seconds to the newest of a playlist, null
 * where there is none.
 */
export function playLive(media, api, stream, failed) {
    if (!PLAYLISTS.has(stream.media_type)) {
        media.src = liveAddress(api, stream);
        return Object.assign(() => {}, { latency: () => null });
    }
    let hls = null;
    let ended = false;
    import("./vendor/hls.js").then(({ default: Hls }) => {
        if (ended) return;
        if (!Hls.isSupported()) {
            media.src = liveAddress(api, stream, "/playlist.m3u8");
            return;
        }
        hls = new Hls(OPTIONS);
        let repaired = 0;
        hls.on(Hls.Events.ERROR, (_, { fatal, type }) => {
            if (!fatal) return;
            if (type === Hls.ErrorTypes.MEDIA_ERROR && repaired++ < 3) hls.recoverMediaError();
            else failed();
        });
        hls.loadSource(liveAddress(api, stream, "/playlist.m3u8"));
        hls.attachMedia(media);
    }).catch(failed);
    const end = () => {
        ended = true;
        hls?.destroy();
    };
    return Object.assign(end, { latency: () => (ended ? null : hls?.latency || null) });
}
