/*
 * What browsers play, by the ending of the name: what the node serves as plain audio or video and nothing else.
 */
const VIDEO = ["avi", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "ogv", "ts", "webm"];
const AUDIO = ["aac", "flac", "m4a", "mp3", "oga", "ogg", "opus", "wav", "weba"];

/** "video", "audio" or "". */
export function mediaKind(name) {
    const ending = /\.([a-z0-9]+)$/i.exec(name ?? "")?.[1].toLowerCase();
    return VIDEO.includes(ending) ? "video" : AUDIO.includes(ending) ? "audio" : "";
}

/** Where the data of a transfer is: with the token that opens it and nothing else, never with the key. */
export function dataAddress(api, { id, token }, file = null) {
    const path = file === null ? "" : `/${file.split("/").map(encodeURIComponent).join("/")}`;
    return `${api.base}/transfers/${id}/data${path}?token=${encodeURIComponent(token)}`;
}
