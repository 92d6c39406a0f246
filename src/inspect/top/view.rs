//! What a person has chosen to see of the numbers: which pane the arrows move in, and how far down each one is.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// The panes that can be chosen, in their order on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    Queues,
    Stuck,
    Running,
}

const PANES: [Pane; 3] = [Pane::Queues, Pane::Stuck, Pane::Running];

#[derive(Debug)]
pub(super) struct View {
    pub(super) chosen: Pane,
    /// The first row that each pane shows.
    offsets: [usize; PANES.len()],
    /// Rows that each pane has and has room for, as it was drawn last.
    sizes: [(usize, usize); PANES.len()],
}

/// What a key asks for that the view cannot do itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Quit,
    Refresh,
}

impl View {
    pub(super) fn new() -> Self {
        View { chosen: Pane::Queues, offsets: [0; PANES.len()], sizes: [(0, 0); PANES.len()] }
    }

    /// Takes a key.
    pub(super) fn take(&mut self, event: &Event) -> Option<Wish> {
        let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) = event else {
            return None;
        };
        let (rows, room) = self.sizes[self.chosen as usize];
        let page = isize::try_from(room.max(1)).unwrap_or(isize::MAX);
        match code {
            KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => return Some(Wish::Quit),
            KeyCode::Char('q') | KeyCode::Esc => return Some(Wish::Quit),
            KeyCode::Char('r') => return Some(Wish::Refresh),
            KeyCode::Tab | KeyCode::Right => self.choose(1),
            KeyCode::BackTab | KeyCode::Left => self.choose(PANES.len() - 1),
            KeyCode::Down => self.scroll(1),
            KeyCode::Up => self.scroll(-1),
            KeyCode::PageDown => self.scroll(page),
            KeyCode::PageUp => self.scroll(-page),
            KeyCode::Home => self.offsets[self.chosen as usize] = 0,
            KeyCode::End => self.offsets[self.chosen as usize] = rows.saturating_sub(room),
            _ => {}
        }
        None
    }

    fn choose(&mut self, further: usize) {
        self.chosen = PANES[(self.chosen as usize + further) % PANES.len()];
    }

    fn scroll(&mut self, rows: isize) {
        let offset = &mut self.offsets[self.chosen as usize];
        *offset = offset.saturating_add_signed(rows);
        self.clamp(self.chosen);
    }

    /// The first row that a pane of that many rows shows where it has room for so many.
    pub(super) fn first_row(&mut self, pane: Pane, rows: usize, room: usize) -> usize {
        self.sizes[pane as usize] = (rows, room);
        self.clamp(pane);
        self.offsets[pane as usize]
    }

    fn clamp(&mut self, pane: Pane) {
        let (rows, room) = self.sizes[pane as usize];
        let offset = &mut self.offsets[pane as usize];
        *offset = (*offset).min(rows.saturating_sub(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(view: &mut View, code: KeyCode) -> Option<Wish> {
        view.take(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    #[test]
    fn q_escape_and_control_c_quit_and_r_refreshes() {
        let mut view = View::new();
        assert_eq!(press(&mut view, KeyCode::Char('q')), Some(Wish::Quit));
        assert_eq!(press(&mut view, KeyCode::Esc), Some(Wish::Quit));
        let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.take(&Event::Key(control)), Some(Wish::Quit));
        assert_eq!(press(&mut view, KeyCode::Char('r')), Some(Wish::Refresh));
        assert_eq!(press(&mut view, KeyCode::Char('c')), None);
    }

    #[test]
    fn chosen_pane_scrolls_between_its_ends() {
        let mut view = View::new();
        assert_eq!(view.first_row(Pane::Queues, 100, 10), 0);
        for (key, first) in [
            (KeyCode::Down, 1),
            (KeyCode::PageDown, 11),
            (KeyCode::Up, 10),
            (KeyCode::End, 90),
            (KeyCode::Down, 90),
            (KeyCode::PageUp, 80),
            (KeyCode::Home, 0),
            (KeyCode::Up, 0),
            (KeyCode::End, 90),
        ] {
            press(&mut view, key);
            assert_eq!(view.first_row(Pane::Queues, 100, 10), first, "{key:?}");
        }
        assert_eq!(view.first_row(Pane::Queues, 15, 10), 5);
        assert_eq!(view.first_row(Pane::Queues, 3, 10), 0);
        assert_eq!(view.first_row(Pane::Stuck, 50, 5), 0);
    }

    #[test]
    fn tab_and_arrows_go_round_the_panes() {
        let mut view = View::new();
        for (key, chosen) in [
            (KeyCode::Tab, Pane::Stuck),
            (KeyCode::Right, Pane::Running),
            (KeyCode::Tab, Pane::Queues),
            (KeyCode::BackTab, Pane::Running),
            (KeyCode::Left, Pane::Stuck),
        ] {
            press(&mut view, key);
            assert_eq!(view.chosen, chosen);
        }
    }
}
