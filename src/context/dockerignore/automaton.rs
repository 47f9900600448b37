//! What a pattern means when it is more than a literal.
//!
//! Docker turns such a pattern into a regular expression of Go's dialect and escapes only some of the characters that are
//! special there, so `a|*.b`, `x{2}*`, `*\d` and `[[:alpha:]]*` mean what they mean in Go. The expression is built
//! as Docker builds it, parsed by this subset of Go's grammar, and run as a set of states: linear in the path.

use super::super::glob;

/// Larger automata are refused: only a hostile pattern asks for one.
const MOST_STATES: usize = 1 << 16;

/// Why a pattern has no automaton.
pub(super) type Refusal = &'static str;

const SYNTAX: Refusal = "syntax error in pattern";

/// A pattern as states.
#[derive(Clone, Debug)]
pub(super) struct Automaton {
    states: Vec<State>,
    /// Whether every match begins at the start of the path.
    anchored: bool,
}

#[derive(Clone, Debug)]
enum State {
    One(Test),
    Split(usize, usize),
    Jump(usize),
    Assert(Place),
    Match,
}

#[derive(Clone, Debug)]
enum Test {
    Letter(char),
    NotSlash,
    NotNewline,
    Class(Class),
}

#[derive(Clone, Debug, Default)]
struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    End,
    WordEdge,
    NoWordEdge,
}

impl Automaton {
    /// Compiles a cleaned pattern.
    pub(super) fn new(pattern: &[u8]) -> Result<Self, Refusal> {
        let expression = expression(pattern);
        let branches = Parser::new(&expression).branches()?;
        let mut states = Vec::new();
        for (number, branch) in branches.iter().enumerate() {
            let split = states.len();
            let more = number + 1 < branches.len();
            if more {
                states.push(State::Split(split + 1, 0));
            }
            emit(branch, &mut states)?;
            states.push(State::Match);
            if more {
                states[split] = State::Split(split + 1, states.len());
            }
        }
        Ok(Self {
            states,
            anchored: branches.len() == 1,
        })
    }

    /// Whether the pattern matches `path`.
    pub(super) fn matches(&self, path: &str) -> bool {
        let mut now = Threads::new(self.states.len());
        let mut next = Threads::new(self.states.len());
        let mut before = None;
        let mut letters = path.chars();
        loop {
            let letter = letters.clone().next();
            if before.is_none() || !self.anchored {
                now.add(&self.states, 0, before, letter);
            }
            if now.matched {
                return true;
            }
            let Some(letter) = letter else { return false };
            letters.next();
            if now.list.is_empty() && self.anchored {
                return false;
            }
            next.clear();
            let after = letters.clone().next();
            for &state in &now.list {
                if let State::One(test) = &self.states[state]
                    && test.accepts(letter)
                {
                    next.add(&self.states, state + 1, Some(letter), after);
                }
            }
            std::mem::swap(&mut now, &mut next);
            before = Some(letter);
        }
    }
}

/// The states that are reached at one place of the path.
struct Threads {
    list: Vec<usize>,
    seen: Vec<bool>,
    visited: Vec<usize>,
    stack: Vec<usize>,
    matched: bool,
}

impl Threads {
    fn new(states: usize) -> Self {
        Self {
            list: Vec::new(),
            seen: vec![false; states],
            visited: Vec::new(),
            stack: Vec::new(),
            matched: false,
        }
    }

    fn clear(&mut self) {
        for state in self.visited.drain(..) {
            self.seen[state] = false;
        }
        self.list.clear();
        self.matched = false;
    }

    fn add(&mut self, states: &[State], from: usize, before: Option<char>, after: Option<char>) {
        self.stack.push(from);
        while let Some(state) = self.stack.pop() {
            if std::mem::replace(&mut self.seen[state], true) {
                continue;
            }
            self.visited.push(state);
            match &states[state] {
                State::One(_) => self.list.push(state),
                State::Split(one, other) => self.stack.extend([*other, *one]),
                State::Jump(to) => self.stack.push(*to),
                State::Assert(place) if place.holds(before, after) => self.stack.push(state + 1),
                State::Assert(_) => {}
                State::Match => self.matched = true,
            }
        }
    }
}

impl Place {
    fn holds(self, before: Option<char>, after: Option<char>) -> bool {
        let word = |letter: Option<char>| {
            letter.is_some_and(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        match self {
            Place::Start => before.is_none(),
            Place::End => after.is_none(),
            Place::WordEdge => word(before) != word(after),
            Place::NoWordEdge => word(before) == word(after),
        }
    }
}

impl Test {
    fn accepts(&self, letter: char) -> bool {
        match self {
            Test::Letter(own) => *own == letter,
            Test::NotSlash => letter != '/',
            Test::NotNewline => letter != '\n',
            Test::Class(class) => class.holds(letter) != class.negated,
        }
    }
}

impl Class {
    fn holds(&self, letter: char) -> bool {
        self.ranges
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&letter))
    }

    fn extend(&mut self, ranges: &[(char, char)], negated: bool) {
        if negated {
            self.ranges.extend(complement(ranges));
        } else {
            self.ranges.extend(ranges);
        }
    }
}

/// Every character that is in none of `ranges`, which are sorted and disjoint.
fn complement(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let mut rest = Vec::new();
    let mut from = Some('\0');
    for (low, high) in ranges {
        if let Some(from) = from
            && from < *low
            && let Some(last) = (from..*low).next_back()
        {
            rest.push((from, last));
        }
        from = (*high..=char::MAX).nth(1);
    }
    if let Some(from) = from {
        rest.push((from, char::MAX));
    }
    rest
}

/// The regular expression that Docker makes of `pattern`.
fn expression(pattern: &[u8]) -> Vec<char> {
    let mut letters: Vec<char> = glob::decode(pattern)
        .into_iter()
        .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    // Go's text scanner drops a byte order mark at the start of its input.
    if letters.first() == Some(&'\u{FEFF}') {
        letters.remove(0);
    }
    let mut out = vec!['^'];
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        at += 1;
        match letter {
            '*' if letters.get(at) == Some(&'*') => {
                at += 1;
                if letters.get(at) == Some(&'/') {
                    at += 1;
                }
                out.extend(if at == letters.len() { ".*" } else { "(.*/)?" }.chars());
            }
            '*' => out.extend("[^/]*".chars()),
            '?' => out.extend("[^/]".chars()),
            '.' | '+' | '(' | ')' | '$' => out.extend(['\\', letter]),
            '\\' => {
                out.push('\\');
                if let Some(&escaped) = letters.get(at) {
                    out.push(escaped);
                    at += 1;
                }
            }
            letter => out.push(letter),
        }
    }
    out.push('$');
    out
}

#[derive(Clone, Debug)]
struct Item {
    atom: Atom,
    low: u32,
    /// None: without bound.
    high: Option<u32>,
}

#[derive(Clone, Debug)]
enum Atom {
    One(Test),
    At(Place),
    /// `(.*/)`: any folders.
    Folders,
}

fn emit(branch: &[Item], states: &mut Vec<State>) -> Result<(), Refusal> {
    for item in branch {
        for _ in 0..item.low {
            emit_atom(&item.atom, states)?;
        }
        match item.high {
            None => {
                let split = states.len();
                states.push(State::Split(split + 1, 0));
                emit_atom(&item.atom, states)?;
                states.push(State::Jump(split));
                states[split] = State::Split(split + 1, states.len());
            }
            Some(high) => {
                for _ in item.low..high {
                    let split = states.len();
                    states.push(State::Split(split + 1, 0));
                    emit_atom(&item.atom, states)?;
                    states[split] = State::Split(split + 1, states.len());
                }
            }
        }
    }
    Ok(())
}

fn emit_atom(atom: &Atom, states: &mut Vec<State>) -> Result<(), Refusal> {
    match atom {
        Atom::One(test) => states.push(State::One(test.clone())),
        Atom::At(place) => states.push(State::Assert(*place)),
        Atom::Folders => {
            let at = states.len();
            states.extend([
                State::Split(at + 1, at + 3),
                State::One(Test::NotNewline),
                State::Jump(at),
                State::One(Test::Letter('/')),
            ]);
        }
    }
    if states.len() > MOST_STATES {
        return Err("pattern too large");
    }
    Ok(())
}

/// Go's grammar of regular expressions, as far as [`expression`] can reach it.
struct Parser<'a> {
    text: &'a [char],
    at: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a [char]) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a [char] {
        &self.text[self.at..]
    }

    fn branches(&mut self) -> Result<Vec<Vec<Item>>, Refusal> {
        let mut branches = Vec::new();
        let mut items: Vec<Item> = Vec::new();
        let mut repeated = false;
        while let Some(&letter) = self.rest().first() {
            let repetition = match letter {
                '*' => Some((1, 0, None)),
                '?' => Some((1, 0, Some(1))),
                '{' => counts(self.rest())?,
                _ => None,
            };
            if let Some((length, low, high)) = repetition {
                let last = items.last_mut().filter(|_| !repeated).ok_or(SYNTAX)?;
                (last.low, last.high) = (low, high);
                self.at += length;
                repeated = true;
                continue;
            }
            repeated = false;
            if letter == '|' {
                self.at += 1;
                branches.push(std::mem::take(&mut items));
                continue;
            }
            if self.rest().starts_with(&['\\', 'Q']) {
                self.at += 2;
                let end = self.rest().windows(2).position(|pair| pair == ['\\', 'E']);
                let quoted = &self.rest()[..end.unwrap_or(self.rest().len())];
                self.at += quoted.len() + end.map_or(0, |_| 2);
                items.extend(
                    quoted
                        .iter()
                        .map(|letter| once(Atom::One(Test::Letter(*letter)))),
                );
                continue;
            }
            items.push(once(self.atom()?));
        }
        branches.push(items);
        Ok(branches)
    }

    fn atom(&mut self) -> Result<Atom, Refusal> {
        let rest = self.rest();
        if rest.starts_with(&['(', '.', '*', '/', ')']) {
            self.at += 5;
            return Ok(Atom::Folders);
        }
        let place = match rest {
            ['^', ..] => Some((1, Place::Start)),
            ['$', ..] => Some((1, Place::End)),
            ['\\', 'A', ..] => Some((2, Place::Start)),
            ['\\', 'z', ..] => Some((2, Place::End)),
            ['\\', 'b', ..] => Some((2, Place::WordEdge)),
            ['\\', 'B', ..] => Some((2, Place::NoWordEdge)),
            _ => None,
        };
        if let Some((length, place)) = place {
            self.at += length;
            return Ok(Atom::At(place));
        }
        let mut class = Class::default();
        if self.named_class(&mut class)? {
            return Ok(Atom::One(Test::Class(class)));
        }
        Ok(Atom::One(match rest.first() {
            Some('.') => {
                self.at += 1;
                Test::NotNewline
            }
            Some('[') if rest.starts_with(&['[', '^', '/', ']']) => {
                self.at += 4;
                Test::NotSlash
            }
            Some('[') => Test::Class(self.class()?),
            _ => Test::Letter(self.letter()?),
        }))
    }

    fn class(&mut self) -> Result<Class, Refusal> {
        self.at += 1;
        let mut class = Class::default();
        if self.rest().first() == Some(&'^') {
            class.negated = true;
            self.at += 1;
        }
        let mut first = true;
        while first || self.rest().first() != Some(&']') {
            first = false;
            if self.posix_class(&mut class)? || self.named_class(&mut class)? {
                continue;
            }
            let low = self.letter()?;
            let mut high = low;
            if let ['-', next, ..] = self.rest()
                && *next != ']'
            {
                self.at += 1;
                high = self.letter()?;
            } else if self.rest() == ['-'] {
                return Err(SYNTAX);
            }
            if high < low {
                return Err(SYNTAX);
            }
            class.ranges.push((low, high));
        }
        self.at += 1;
        Ok(class)
    }

    /// `[:alpha:]` inside a class.
    fn posix_class(&mut self, class: &mut Class) -> Result<bool, Refusal> {
        let rest = self.rest();
        if rest.len() <= 2 || !rest.starts_with(&['[', ':']) {
            return Ok(false);
        }
        let Some(end) = rest[2..].windows(2).position(|pair| pair == [':', ']']) else {
            return Ok(false);
        };
        let name: String = rest[2..2 + end].iter().collect();
        let (negated, name) = match name.strip_prefix('^') {
            Some(name) => (true, name),
            None => (false, name.as_str()),
        };
        let ranges: &[(char, char)] = match name {
            "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
            "alpha" => &[('A', 'Z'), ('a', 'z')],
            "ascii" => &[('\0', '\x7f')],
            "blank" => &[('\t', '\t'), (' ', ' ')],
            "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
            "digit" => DIGIT,
            "graph" => &[('!', '~')],
            "lower" => &[('a', 'z')],
            "print" => &[(' ', '~')],
            "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
            "space" => &[('\t', '\r'), (' ', ' ')],
            "upper" => &[('A', 'Z')],
            "word" => WORD,
            "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
            _ => return Err(SYNTAX),
        };
        class.extend(ranges, negated);
        self.at += end + 4;
        Ok(true)
    }

    /// `\d` and its like, inside a class and outside.
    fn named_class(&mut self, class: &mut Class) -> Result<bool, Refusal> {
        let ['\\', letter, ..] = self.rest() else {
            return Ok(false);
        };
        let ranges = match letter.to_ascii_lowercase() {
            'd' => DIGIT,
            's' => &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')],
            'w' => WORD,
            'p' => return Err("Unicode classes are not understood here"),
            _ => return Ok(false),
        };
        class.extend(ranges, letter.is_ascii_uppercase());
        self.at += 2;
        Ok(true)
    }

    /// One character, escaped or not.
    fn letter(&mut self) -> Result<char, Refusal> {
        let letter = *self.rest().first().ok_or(SYNTAX)?;
        self.at += 1;
        if letter != '\\' {
            return Ok(letter);
        }
        let escaped = *self.rest().first().ok_or(SYNTAX)?;
        self.at += 1;
        Ok(match escaped {
            '0'..='7' => {
                let more = self
                    .rest()
                    .iter()
                    .take(2)
                    .take_while(|letter| ('0'..='7').contains(*letter))
                    .count();
                if escaped != '0' && more == 0 {
                    return Err(SYNTAX);
                }
                self.number(self.at - 1, 1 + more, 8)?
            }
            'x' if self.rest().first() == Some(&'{') => {
                let length = self
                    .rest()
                    .iter()
                    .position(|letter| *letter == '}')
                    .filter(|end| *end > 1)
                    .ok_or(SYNTAX)?;
                let letter = self.number(self.at + 1, length - 1, 16)?;
                self.at += 1;
                letter
            }
            'x' => self.number(self.at, 2, 16)?,
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => other,
            _ => return Err(SYNTAX),
        })
    }

    /// The character with the number that is written in `length` digits at `start`, which are consumed.
    fn number(&mut self, start: usize, length: usize, base: u32) -> Result<char, Refusal> {
        let digits = self.text.get(start..start + length).ok_or(SYNTAX)?;
        self.at = start + length;
        let mut value: u32 = 0;
        for digit in digits {
            let digit = digit.to_digit(base).ok_or(SYNTAX)?;
            value = value.saturating_mul(base).saturating_add(digit);
        }
        char::from_u32(value).ok_or(SYNTAX)
    }
}

const DIGIT: &[(char, char)] = &[('0', '9')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

fn once(atom: Atom) -> Item {
    Item {
        atom,
        low: 1,
        high: Some(1),
    }
}

/// The length and the bounds of a repetition such as `{2,3}` at the start of `text`; none when it is plain text.
fn counts(text: &[char]) -> Result<Option<(usize, u32, Option<u32>)>, Refusal> {
    let number = |from: usize| {
        let digits = text[from..]
            .iter()
            .take_while(|letter| letter.is_ascii_digit())
            .count();
        let written: String = text[from..from + digits].iter().collect();
        let valid = digits > 0 && !(digits > 1 && written.starts_with('0'));
        // Anything above Go's bound of 1,000 is refused alike.
        valid.then(|| (from + digits, written.parse().unwrap_or(u32::MAX)))
    };
    let Some((mut at, low)) = number(1) else {
        return Ok(None);
    };
    let mut high = Some(low);
    if text.get(at) == Some(&',') {
        at += 1;
        high = None;
        if text.get(at) != Some(&'}') {
            let Some((end, value)) = number(at) else {
                return Ok(None);
            };
            at = end;
            high = Some(value);
        }
    }
    if text.get(at) != Some(&'}') {
        return Ok(None);
    }
    if low > 1000 || high.is_some_and(|high| high > 1000 || high < low) {
        return Err(SYNTAX);
    }
    Ok(Some((at + 1, low, high)))
}
