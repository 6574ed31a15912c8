/** The few words that are put into Tribler's own window, in the languages that Tribler has. */

const WORDS = {
    en: { title: "Local network", local: "local", failed: "The page could not be loaded. Reload to try again." },
    es: { title: "Red local", local: "local", failed: "No se pudo cargar la página. Recarga para volver a intentarlo." },
    hi: { title: "स्थानीय नेटवर्क", local: "स्थानीय", failed: "पृष्ठ लोड नहीं हो सका। फिर से प्रयास करने के लिए पुनः लोड करें।" },
    ko: { title: "로컬 네트워크", local: "로컬", failed: "페이지를 불러오지 못했습니다. 다시 시도하려면 새로 고치세요." },
    pt: { title: "Rede local", local: "local", failed: "Não foi possível carregar a página. Recarregue para tentar de novo." },
    ru: { title: "Локальная сеть", local: "локальный", failed: "Не удалось загрузить страницу. Обновите её, чтобы повторить." },
    zh: { title: "本地网络", local: "本地", failed: "无法加载页面。请重新加载再试。" },
};

/**
 * The language that Tribler shows itself in: its button for languages bears the two letters.
 * @returns {string} one of the languages above.
 */
export function languageOfHost() {
    for (const button of document.querySelectorAll("header nav button")) {
        const text = button.textContent.trim();
        if (Object.hasOwn(WORDS, text)) return text;
    }
    return "en";
}

/**
 * @param {string} language
 * @returns {{title: string, local: string, failed: string}}
 */
export function wordsOf(language) {
    return WORDS[language] ?? WORDS.en;
}
