//! Who waits for whom among the jobs of a DAG, which may not be one: clients write the lists, and a circle in them must
//! be found, not followed.

use std::collections::VecDeque;

/// Jobs by their place in a list.
#[derive(Debug)]
pub(super) struct Graph {
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
}

impl Graph {
    /// `edges` are pairs of a job and one that it waits for.
    pub(super) fn new(jobs: usize, edges: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut graph = Graph { parents: vec![Vec::new(); jobs], children: vec![Vec::new(); jobs] };
        for (job, parent) in edges {
            graph.parents[job].push(parent);
            graph.children[parent].push(job);
        }
        graph
    }

    pub(super) fn parents(&self, job: usize) -> &[usize] {
        &self.parents[job]
    }

    /// Every job behind all that it waits for; those in a circle and behind one are not among them.
    fn order(&self) -> Vec<usize> {
        let mut waits: Vec<usize> = self.parents.iter().map(Vec::len).collect();
        let mut order: Vec<usize> = (0..waits.len()).filter(|&job| waits[job] == 0).collect();
        let mut next = 0;
        while let Some(&job) = order.get(next) {
            next += 1;
            for &child in &self.children[job] {
                waits[child] -= 1;
                if waits[child] == 0 {
                    order.push(child);
                }
            }
        }
        order
    }

    /// The chain that takes the longest, its first job first; of those that take as long the one of the most jobs.
    pub(super) fn critical_path(&self, micros: &[u64]) -> Vec<usize> {
        let mut reached = vec![(0, 0); micros.len()];
        let mut before = vec![None; micros.len()];
        let order = self.order();
        for &job in &order {
            // Whoever has a place in the order, so have its parents, before it.
            before[job] = self.parents[job].iter().copied().max_by_key(|&parent| reached[parent]);
            let (time, jobs): (u64, usize) = before[job].map_or((0, 0), |parent: usize| reached[parent]);
            reached[job] = (time.saturating_add(micros[job]), jobs + 1);
        }
        let last = order.into_iter().max_by_key(|&job| reached[job]);
        let mut path: Vec<usize> = std::iter::successors(last, |&job| before[job]).collect();
        path.reverse();
        path
    }

    /// Jobs that wait for each other in a circle, if there are any: each for the one behind it, the last for the first.
    pub(super) fn circle(&self) -> Option<Vec<usize>> {
        let mut ordered = vec![false; self.parents.len()];
        for job in self.order() {
            ordered[job] = true;
        }
        // Who is in no order waits for another such, so the way back comes round.
        let start = ordered.iter().position(|ordered| !ordered)?;
        let mut way = vec![start];
        let mut place = vec![None; ordered.len()];
        place[start] = Some(0);
        loop {
            let job = *way.last()?;
            let parent = *self.parents[job].iter().find(|&&parent| !ordered[parent])?;
            if let Some(from) = place[parent] {
                return Some(way.split_off(from));
            }
            place[parent] = Some(way.len());
            way.push(parent);
        }
    }

    /// How many jobs wait for this one, also through others that wait.
    pub(super) fn waiting_for(&self, job: usize, waits: &[bool]) -> usize {
        let mut seen = vec![false; waits.len()];
        seen[job] = true;
        let mut ahead = VecDeque::from([job]);
        let mut count = 0;
        while let Some(job) = ahead.pop_front() {
            for &child in &self.children[job] {
                if waits[child] && !std::mem::replace(&mut seen[child], true) {
                    count += 1;
                    ahead.push_back(child);
                }
            }
        }
        count
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    /// Every chain that begins anywhere, by trying them all.
    fn all_chains(graph: &Graph, chain: &mut Vec<usize>, chains: &mut Vec<Vec<usize>>) {
        chains.push(chain.clone());
        for &child in &graph.children[*chain.last().unwrap()] {
            chain.push(child);
            all_chains(graph, chain, chains);
            chain.pop();
        }
    }

    #[test]
    fn the_critical_path_is_the_longest_of_all_chains() {
        use rand::{RngExt, SeedableRng};
        let mut dice = rand::rngs::StdRng::seed_from_u64(1);
        for _ in 0..300 {
            let jobs = dice.random_range(1..9);
            let mut edges = Vec::new();
            for job in 1..jobs {
                for parent in 0..job {
                    if dice.random_range(0..3) == 0 {
                        edges.push((job, parent));
                    }
                }
            }
            let micros: Vec<u64> = (0..jobs).map(|_| dice.random_range(0..4)).collect();
            let graph = Graph::new(jobs, edges);
            let length =
                |chain: &Vec<usize>| (chain.iter().map(|&job| micros[job]).sum::<u64>(), chain.len());
            let mut chains = Vec::new();
            for job in 0..jobs {
                all_chains(&graph, &mut vec![job], &mut chains);
            }
            let path = graph.critical_path(&micros);
            assert_eq!(length(&path), chains.iter().map(length).max().unwrap(), "{graph:?} {micros:?}");
            assert!(chains.contains(&path), "{path:?} is no chain of {graph:?}");
            assert_eq!(graph.circle(), None);
        }
    }

    #[test]
    fn a_circle_is_found_and_followed_by_nobody() {
        // 0 ← 1 ← 2 ← 3 ← 1, and 4 behind them; 5 waits for itself.
        let graph = Graph::new(6, [(1, 0), (2, 1), (3, 2), (1, 3), (4, 3)]);
        let circle = graph.circle().unwrap();
        assert_eq!(circle.len(), 3, "{circle:?}");
        for (place, &job) in circle.iter().enumerate() {
            assert!(graph.parents(job).contains(&circle[(place + 1) % 3]), "{circle:?}");
        }
        assert_eq!(graph.critical_path(&[5, 100, 100, 100, 100, 1]), [0]);
        assert_eq!(graph.waiting_for(1, &[true; 6]), 3);
        assert_eq!(Graph::new(1, [(0, 0)]).circle(), Some(vec![0]));
    }

    #[test]
    fn who_is_finished_waits_for_nobody_and_passes_nothing_on() {
        // 0 ← 1 ← 2, 0 ← 3 ← 2
        let graph = Graph::new(4, [(1, 0), (2, 1), (3, 0), (2, 3)]);
        assert_eq!(graph.waiting_for(0, &[false, true, true, true]), 3);
        assert_eq!(graph.waiting_for(0, &[false, false, true, true]), 2);
        assert_eq!(graph.waiting_for(0, &[false, false, true, false]), 0);
    }

    #[test]
    fn a_dag_without_jobs_has_no_path() {
        assert_eq!(Graph::new(0, []).critical_path(&[]), Vec::<usize>::new());
    }
}
