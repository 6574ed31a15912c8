/*
 * Calls of the REST API.
 */

/** An answer that is an error. `status` is that of HTTP; 0: no answer came at all. */
export class ApiError extends Error {
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

/** The API at a base address. Without a key the cookie of the host counts. */
export class Api {
    constructor(base = "/api/multicast", key = "") {
        this.base = base.replace(/\/+$/, "");
        this.key = key;
    }

    /** Call it; the answer is an object. `signal` gives up. Raises ApiError. */
    async call(method, path, body, signal) {
        const response = await this.request(method, path, body, signal);
        const answer = await response.json().catch(() => null);
        if (answer === null) throw new ApiError(response.status, "the answer cannot be read");
        return answer;
    }

    /** Get an answer that comes line by line, each an object. */
    async* lines(path, signal) {
        const response = await this.request("GET", path, undefined, signal);
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let rest = ""; ;) {
            const { done, value } = await reader.read();
            const found = (rest + (value ?? "")).split("\n");
            rest = done ? "" : found.pop();
            for (const line of found) if (line) yield JSON.parse(line);
            if (done) return;
        }
    }

    /** `body` is an object, or a Blob that is sent as it is; `options` more ones of fetch. */
    async request(method, path, body, signal, options = {}) {
        const headers = {};
        const raw = body instanceof Blob;
        if (this.key) headers["X-Api-Key"] = this.key;
        if (body !== undefined) headers["Content-Type"] = raw ? "application/octet-stream" : "application/json";
        let response;
        try {
            response = await fetch(this.base + path, {
                method, headers, signal, credentials: "same-origin", body: body === undefined || raw ? body : JSON.stringify(body), ...options,
            });
        } catch (error) {
            if (error.name === "AbortError") throw error;
            throw new ApiError(0, error.message);
        }
        if (response.ok) return response;
        const answer = await response.json().catch(() => null);
        throw new ApiError(response.status, answer?.error?.message ?? `HTTP ${response.status}`);
    }

    get(path, signal) { return this.call("GET", path, undefined, signal); }
    put(path, body) { return this.call("PUT", path, body); }
    post(path, body) { return this.call("POST", path, body); }
    patch(path, body) { return this.call("PATCH", path, body); }
    delete(path) { return this.call("DELETE", path); }

    /** The address of a path of the host's own server. */
    host(path) { return path + (this.key ? `?${new URLSearchParams({ key: this.key })}` : ""); }

    /** An address with the key in it, for what can send no headers. */
    address(path, query = {}) {
        const all = new URLSearchParams({ ...query, ...(this.key ? { key: this.key } : {}) }).toString();
        return this.base + path + (all ? `?${all}` : "");
    }
}
