//! The user's view of the numbers: which pane is chosen, and how far each pane is scrolled. Keys change it.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A pane that can be chosen and scrolled, in the order on the screen.
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
    /// How many rows each pane has and shows, as it was drawn last.
    sizes: [(usize, usize); PANES.len()],
}

/// What a key requests of `top`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Quit,
    Refresh,
}

impl View {
    pub(super) fn new() -> Self {
        View { chosen: Pane::Queues, offsets: [0; PANES.len()], sizes: [(0, 0); PANES.len()] }
    }

    /// Applies a key to the view, and returns what else the key requests.
    pub(super) fn handle(&mut self, event: &Event) -> Option<Request> {
        let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) = event else {
            return None;
        };
        let (rows, visible) = self.sizes[self.chosen as usize];
        let page = isize::try_from(visible.max(1)).unwrap_or(isize::MAX);
        match code {
            KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => return Some(Request::Quit),
            KeyCode::Char('q') | KeyCode::Esc => return Some(Request::Quit),
            KeyCode::Char('r') => return Some(Request::Refresh),
            KeyCode::Tab | KeyCode::Right => self.choose(1),
            KeyCode::BackTab | KeyCode::Left => self.choose(PANES.len() - 1),
            KeyCode::Down => self.scroll(1),
            KeyCode::Up => self.scroll(-1),
            KeyCode::PageDown => self.scroll(page),
            KeyCode::PageUp => self.scroll(-page),
            KeyCode::Home => self.offsets[self.chosen as usize] = 0,
            KeyCode::End => self.offsets[self.chosen as usize] = rows.saturating_sub(visible),
            _ => {}
        }
        None
    }

    fn choose(&mut self, steps: usize) {
        self.chosen = PANES[(self.chosen as usize + steps) % PANES.len()];
    }

    fn scroll(&mut self, rows: isize) {
        let offset = &mut self.offsets[self.chosen as usize];
        *offset = offset.saturating_add_signed(rows);
        self.clamp(self.chosen);
    }

    /// Returns the first row that a pane shows. The pane has `rows` rows and shows `visible` of them.
    pub(super) fn first_row(&mut self, pane: Pane, rows: usize, visible: usize) -> usize {
        self.sizes[pane as usize] = (rows, visible);
        self.clamp(pane);
        self.offsets[pane as usize]
    }

    fn clamp(&mut self, pane: Pane) {
        let (rows, visible) = self.sizes[pane as usize];
        let offset = &mut self.offsets[pane as usize];
        *offset = (*offset).min(rows.saturating_sub(visible));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(view: &mut View, code: KeyCode) -> Option<Request> {
        view.handle(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    #[test]
    fn q_escape_and_control_c_quit_and_r_refreshes() {
        let mut view = View::new();
        assert_eq!(press(&mut view, KeyCode::Char('q')), Some(Request::Quit));
        assert_eq!(press(&mut view, KeyCode::Esc), Some(Request::Quit));
        let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.handle(&Event::Key(control)), Some(Request::Quit));
        assert_eq!(press(&mut view, KeyCode::Char('r')), Some(Request::Refresh));
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
    fn tab_and_arrows_choose_panes_in_turn() {
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
