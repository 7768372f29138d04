//! Files made by a seeded generator: the same seed gives the same files on every machine.

/// SplitMix64: small, and good enough to pick from lists.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }

    /// Joins up to `most` picked pieces.
    fn soup(&mut self, pieces: &[&str], most: usize) -> String {
        (0..=self.below(most)).map(|_| self.pick(pieces)).collect()
    }
}

const HEADER: &str = "apiVersion: example.com/v1\nkind: T\nmetadata: {name: t}\n";

#[rustfmt::skip]
const TAGS: &[&str] = &[
    "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "",
    "!!str ", "!!int ", "!!float ", "!!bool ", "!!null ", "!!timestamp ", "!!binary ", "! ", "!foo ",
    "!!foo ", "!<tag:yaml.org,2002:int> ", "&a ", "&a !!int ",
];

#[rustfmt::skip]
const NUMERIC: &[&str] = &[
    "0", "0", "1", "7", "8", "9", "12", "644", ".", "_", "-", "+", "e", "E", "x", "X", "o", "O", "b", "B",
    "0x", "0b", "0o", "f", "F", ":", "inf", "nan", "e5", "e-3", "99999999999999999999",
    "9223372036854775807", "9223372036854775808", "18446744073709551615", "000", "5", "e400", "1e21",
    "1e-7", "16777217", "0.1", "p",
];

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "y", "Y", "n", "N", "yes", "Yes", "YES", "yEs", "no", "No", "NO", "on", "On", "ON", "off", "Off",
    "OFF", "oFF", "true", "True", "TRUE", "tRUE", "false", "False", "FALSE", "t", "f", "null", "Null",
    "NULL", "nULL", "~", "~~", "none", "<<", "=", ".inf", ".Inf", ".INF", "-.inf", "+.inf", ".nan", ".NaN",
    ".NAN", "inf", "NaN", "Infinity", "2001-12-14", "2001-1-1", "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43", "12:30", "190:20:30", "1.2.3", "1.10", "a", "a b", "a: b", "a:b", "a #b", "a#b",
    "-", "--", "- a", "?", "? a", "?a", ":", ":a", "@a", "`a", "%a", "*a", "&a", "!a", "|", ">", "'a'",
    "\"a\"", "{}", "[]", "{a}", "[a]", "a,b", "a]", "a}", "", " ", "é", "日本", "0.0.0.0/0", "10Mi", "1Gi",
    "100m", "$(X)", "${X}", "{{ x }}",
];

#[rustfmt::skip]
const SYNTAX: &[&str] = &[
    "a", "b", "c", "k", "x", "1", "a: ", "b: ", "k: ", "c:", "- ", "- ", "-", "\n", "\n", "\n  ", "\n  ",
    "\n    ", "\n- ", "\n  - ", " ", " ", "  ", "\t", "[", "]", "{", "}", ", ", ",", "? ", "?", ": ", ":",
    "&a ", "&b ", "*a", "*b", "*a ", "<<: ", "<<: *a", "!!str ", "!!int ", "!t ", "! ", "|\n", ">\n",
    "|-\n", ">+\n", "|2\n", ">1-\n", "\"", "'", "\"q\"", "'r'", "''", "\"\"", " #c\n", "#", "...",
    "\n...\n", "\\", "\\n", "\\x41", "\\/", "\\u00e9", "\\\n", "~", "yes", "0x1f", "é", "\u{85}",
    "\u{2028}", "\u{2029}", "\u{a0}", "\u{feff}", "\r", "\r\n", "%", "@", "`", "|", ">", "-1", "{a: 1}",
    "[1, 2]", "[]", "{}", "a: 1", "key: value\n", "\n\n", "---", "\n---\n", "=",
];

#[rustfmt::skip]
const SEPARATORS: &[&str] = &[
    "---\n", "---\n", "--- \n", "--- # c\n", "---#c\n", "---\t\n", "---foo\n", "--- foo\n", "--- {a: b}\n",
    "----\n", "...\n", "... \n", "...\n---\n", "# c\n", "\n", "  \n", "\t\n", "null\n", "~\n", "\u{feff}",
    "%YAML 1.1\n", "%YAML 1.2\n", "%TAG ! x\n", " ---\n", "---\r\n", "\r\n", "\r", "---", "...", "{}\n",
    "[]\n", "foo\n", "---\u{a0}\n", "\u{2028}---\n", "\u{85}---\n", "\r---\n", "%YAML 1.1\r---\r",
    "%TAG !x! tag:yaml.org,2002:\r---\r", "a: !x!int 5\n", "\0",
    "apiVersion: v1\nkind: A\nmetadata: {name: a}\n", "apiVersion: v1\nkind: B\nmetadata: {name: b}\n",
    "apiVersion: v1\r\nkind: C\r\nmetadata: {name: c}\r\n", "apiVersion: v1\nkind: D\nmetadata: {name: d}",
    "apiVersion: v1\nkind: E\nmetadata: {name: e}\ndata:\n  a: |\n    x\n",
    "{\"apiVersion\": \"v1\", \"kind\": \"J\", \"metadata\": {\"name\": \"j\"}}",
    "{\"apiVersion\": \"v1\", \"kind\": \"K\", \"metadata\": {\"name\": \"k\"}}\n",
    "{apiVersion: v1, kind: F, metadata: {name: f}}\n",
];

#[rustfmt::skip]
const JSON: &[&str] = &[
    "{", "}", "[", "]", ",", ":", "\"a\"", "\"b\"", "\"c\"", "\"a\": 1", "\"b\": [1, 2]",
    "\"c\": {\"d\": null}", "1", "-1", "-0", "0", "1.0", "1e3", "1E400", "-0.0", "1.5e-7", "01", "1.",
    ".5", "+1", "9223372036854775808", "123456789012345678901", "true", "false", "null", "tru", "NaN",
    "\"\\/\"", "\"\\u00e9\"", "\"\\ud800\"", "\"\\ud83d\\ude00\"", "\"\\ud83dx\"", "\"\\x41\"", "\"\t\"",
    "\"\n\"", "\"\u{7f}\"", "\"\u{85}\"", "\"é\"", " ", "\n", "\t", "\r", "//c\n", "#c\n", "'a'", "a",
    "---\n", "\n---\n", "{}", "[]", "\u{a0}", "\u{fffd}",
];

const MANIFESTS: &[&str] = &[
    include_str!("seeds/deployment.yaml"),
    include_str!("seeds/configmap.yaml"),
    include_str!("seeds/anchors.yaml"),
    include_str!("seeds/crd.yaml"),
];

#[rustfmt::skip]
const SNIPPETS: &[&str] = &[
    "\n", " ", "  ", "\t", ":", ": ", "-", "- ", "#", " #", "\"", "'", "|", ">", "[", "]", "{", "}", ",",
    "&x ", "*x", "!!str ", "? ", "---\n", "...\n", "\\", "yes", "0644", "~", "1_0", "<<: ", "\r", "\u{85}",
    "é", "\u{feff}", "%", "@", "\n\n", "key: value\n", "  - a\n", "\n- b", "{{ x }}",
];

fn scalar(random: &mut Random) -> String {
    let tag = random.pick(TAGS);
    let text = match random.below(4) {
        0 => random.pick(WORDS).to_owned(),
        1 => random.soup(WORDS, 2),
        _ => random.soup(NUMERIC, 5),
    };
    match random.below(12) {
        0 => format!("{tag}\"{text}\""),
        1 => format!("{tag}'{text}'"),
        _ => format!("{tag}{text}"),
    }
}

fn scalars(random: &mut Random) -> Vec<u8> {
    let value = scalar(random);
    match random.below(6) {
        0 => format!("{HEADER}v: [{value}, {}]\n", scalar(random)),
        1 => format!("{HEADER}v: {{a: {value}, b: {}}}\n", scalar(random)),
        2 => format!("{HEADER}v:\n- {value}\n- {}\n", scalar(random)),
        _ => format!("{HEADER}v: {value}\n"),
    }
    .into_bytes()
}

fn keys(random: &mut Random) -> Vec<u8> {
    let key = scalar(random);
    match random.below(6) {
        0 => format!("{HEADER}v: {{{key}: 1}}\n"),
        1 => format!("{HEADER}v:\n  ? {key}\n  : 1\n"),
        2 => format!("{HEADER}v:\n  {key} : 1\n"),
        _ => format!("{HEADER}v:\n  {key}: 1\n"),
    }
    .into_bytes()
}

fn syntax(random: &mut Random) -> Vec<u8> {
    let soup = random.soup(SYNTAX, 14);
    match random.below(5) {
        0 => format!("{HEADER}v:\n  {soup}\n"),
        1 => format!("{HEADER}v: [{soup}]\n"),
        2 => format!("{HEADER}w: &a {{p: 1, q: [2]}}\nv:\n  {soup}"),
        3 => format!("{HEADER}v: \"{soup}\"\n"),
        _ => format!("{HEADER}v: {soup}\n"),
    }
    .into_bytes()
}

fn mutated(random: &mut Random) -> Vec<u8> {
    let mut text: Vec<char> = random.pick(MANIFESTS).chars().collect();
    for _ in 0..=random.below(3) {
        let at = random.below(text.len());
        match random.below(6) {
            0 => {
                text.remove(at);
            }
            1 => {
                let other = text[random.below(text.len())];
                text[at] = other;
            }
            2 => {
                let end = (at + random.below(30)).min(text.len());
                text.drain(at..end);
            }
            3 => {
                let end = (at + random.below(60)).min(text.len());
                let copy: Vec<char> = text[at..end].to_vec();
                let to = random.below(text.len());
                text.splice(to..to, copy);
            }
            _ => {
                let snippet = random.pick(SNIPPETS);
                text.splice(at..at, snippet.chars());
            }
        }
        if text.is_empty() {
            text.push('a');
        }
    }
    text.into_iter().collect::<String>().into_bytes()
}

/// Writes a value in a style of its choice, on the current line or below it. Mostly valid YAML.
fn nested(random: &mut Random, out: &mut String, indent: usize, depth: usize, flow: bool) {
    if random.below(14) == 0 {
        out.push_str(random.pick(&["&a ", "&b ", "!!map ", "!t ", "! ", "&a\n"]));
    }
    let kind = if depth == 0 { 0 } else { random.below(10) };
    match kind {
        0..=2 => leaf(random, out, indent, flow),
        3 => {
            out.push('[');
            for _ in 0..random.below(4) {
                nested(random, out, indent + 2, depth - 1, true);
                out.push_str(random.pick(&[", ", ",", " , ", ",\n", ", # c\n      "]));
            }
            out.push_str(random.pick(&["]", "]", "\n]", " ]"]));
        }
        4 => {
            out.push('{');
            for number in 0..random.below(4) {
                name(random, out, number);
                out.push_str(random.pick(&[": ", ": ", ":", " : ", ":\n        ", ""]));
                nested(random, out, indent + 2, depth - 1, true);
                out.push_str(random.pick(&[", ", ",", " , ", ",\n    "]));
            }
            out.push_str(random.pick(&["}", "}", "\n}", " }"]));
        }
        5..=7 if !flow => {
            let indent = indent + random.below(3);
            for _ in 0..=random.below(3) {
                line(random, out, indent);
                out.push_str(random.pick(&["- ", "- ", "-   ", "-\t", "-"]));
                nested(random, out, indent + 2, depth - 1, false);
            }
        }
        _ if !flow => {
            let indent = indent + 1 + random.below(3);
            for number in 0..=random.below(3) {
                line(random, out, indent);
                name(random, out, number);
                out.push_str(random.pick(&[": ", ": ", ":  ", ":\t", " : ", ":"]));
                nested(random, out, indent, depth - 1, false);
            }
        }
        _ => leaf(random, out, indent, flow),
    }
}

fn line(random: &mut Random, out: &mut String, indent: usize) {
    out.push_str(random.pick(&["\n", "\n", "\n", "\n\n", " # c\n", "\n  # c\n", "\n\t\n", "\r\n"]));
    let slip = if random.below(60) == 0 { random.below(3) } else { 0 };
    out.extend(std::iter::repeat_n(' ', indent + slip));
}

fn name(random: &mut Random, out: &mut String, number: usize) {
    match random.below(12) {
        0 => out.push_str(random.pick(WORDS)),
        1 => out.push_str("<<"),
        2 => out.push_str("*a "),
        3 => out.push_str(&format!("\"k{number}\"")),
        4 => out.push_str(&format!("? k{number}\n    ")),
        _ => out.push_str(&format!("k{number}")),
    }
}

fn leaf(random: &mut Random, out: &mut String, indent: usize, flow: bool) {
    let pad = " ".repeat(indent + 1 + random.below(2));
    match random.below(9) {
        0 => out.push_str(random.pick(&["*a", "*b", "{<<: *a}"])),
        1 if !flow => {
            out.push_str(random.pick(&["|", ">", "|-", ">-", "|+", ">+", "|2", ">1"]));
            for _ in 0..random.below(5) {
                out.push_str(random.pick(&["\n", "\n", "\n\n", "\n \n", "\r\n"]));
                out.push_str(&pad);
                out.push_str(random.pick(&[
                    "text",
                    "more text",
                    "  deeper",
                    "- a",
                    "k: v",
                    "# c",
                    "\ttab",
                    "",
                ]));
            }
            out.push_str(random.pick(&["", "\n", "\n\n"]));
        }
        2 => out.push_str(&format!("two\n{pad}lines\n\n{pad}folded")),
        3 => out.push_str(&format!("\"two\\\n{pad}lines \n\n{pad}\\  \\u00e9 folded\"")),
        4 => out.push_str(&format!("'it''s\n{pad}\n{pad}folded'")),
        5 => out.push_str(random.pick(NUMERIC)),
        _ => out.push_str(random.pick(WORDS)),
    }
}

fn trees(random: &mut Random) -> Vec<u8> {
    let mut text = format!("{HEADER}base: &a {{p: 1}}\nother: &b [x, *a]\nv: ");
    nested(random, &mut text, 0, 4, false);
    text.push('\n');
    text.into_bytes()
}

fn streams(random: &mut Random) -> Vec<u8> {
    let text = random.soup(SEPARATORS, 7);
    let units = || text.encode_utf16();
    match random.below(30) {
        0 => [0xFEFF].into_iter().chain(units()).flat_map(u16::to_le_bytes).collect(),
        1 => [0xFEFF].into_iter().chain(units()).flat_map(u16::to_be_bytes).collect(),
        _ => text.into_bytes(),
    }
}

fn json(random: &mut Random) -> Vec<u8> {
    let soup = random.soup(JSON, 4);
    let header = "\"apiVersion\": \"v1\", \"kind\": \"J\", \"metadata\": {\"name\": \"j\"}";
    match random.below(4) {
        0 => format!("{{{header}, \"v\": [{soup}]}}\n"),
        1 => format!("{{{header}, \"v\": {soup}}}\n"),
        2 => format!("{{{header}}}{soup}{{{header}}}\n"),
        _ => format!("{{{header}, \"v\": {{{soup}}}}}{}", random.soup(JSON, 3)),
    }
    .into_bytes()
}

fn many(seed: u64, count: usize, make: fn(&mut Random) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut random = Random::new(seed);
    (0..count).map(|_| make(&mut random)).collect()
}

/// All kinds of files.
pub fn all(seed: u64) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    vec![
        ("scalars", many(seed, 4000, scalars)),
        ("keys", many(seed + 1000, 1500, keys)),
        ("syntax", many(seed + 2000, 3000, syntax)),
        ("trees", many(seed + 6000, 2000, trees)),
        ("mutated", many(seed + 3000, 2500, mutated)),
        ("streams", many(seed + 4000, 1000, streams)),
        ("json", many(seed + 5000, 1000, json)),
    ]
}
