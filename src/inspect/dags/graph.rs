//! The edges between the jobs of a DAG. Because clients write the lists of parents, the graph can have a cycle; each
//! function ends all the same.

use std::collections::VecDeque;

/// Parents and children of each job, which is known by its place in the list of jobs.
#[derive(Debug)]
pub(super) struct Graph {
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
}

impl Graph {
    /// Makes a graph of `jobs` jobs. An edge is a job and a parent, which the job waits for.
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

    /// Returns the jobs in an order in which parents come first. Jobs in a cycle and their descendants are left out.
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

    /// Returns the chain of jobs that takes longest, first job first. Of equally long chains it is the one with most jobs.
    pub(super) fn critical_path(&self, micros: &[u64]) -> Vec<usize> {
        let mut reached = vec![(0, 0); micros.len()];
        let mut before = vec![None; micros.len()];
        let order = self.order();
        for &job in &order {
            // `order` is topological: parents come first.
            before[job] = self.parents[job].iter().copied().max_by_key(|&parent| reached[parent]);
            let (time, jobs): (u64, usize) = before[job].map_or((0, 0), |parent: usize| reached[parent]);
            reached[job] = (time.saturating_add(micros[job]), jobs + 1);
        }
        let last = order.into_iter().max_by_key(|&job| reached[job]);
        let mut path: Vec<usize> = std::iter::successors(last, |&job| before[job]).collect();
        path.reverse();
        path
    }

    /// Returns jobs that wait for each other in a cycle, if any: each for the next one, the last for the first.
    pub(super) fn cycle(&self) -> Option<Vec<usize>> {
        let mut ordered = vec![false; self.parents.len()];
        for job in self.order() {
            ordered[job] = true;
        }
        // A job without a place in the order has a parent without one, so a walk along parents returns to a visited job.
        let start = ordered.iter().position(|ordered| !ordered)?;
        let mut path = vec![start];
        let mut place = vec![None; ordered.len()];
        place[start] = Some(0);
        loop {
            let job = *path.last()?;
            let parent = *self.parents[job].iter().find(|&&parent| !ordered[parent])?;
            if let Some(from) = place[parent] {
                return Some(path.split_off(from));
            }
            place[parent] = Some(path.len());
            path.push(parent);
        }
    }

    /// Returns how many jobs wait for this one, directly or through other waiting jobs. `waits` tells which jobs wait.
    pub(super) fn waiting_for(&self, job: usize, waits: &[bool]) -> usize {
        let mut seen = vec![false; waits.len()];
        seen[job] = true;
        let mut pending = VecDeque::from([job]);
        let mut count = 0;
        while let Some(job) = pending.pop_front() {
            for &child in &self.children[job] {
                if waits[child] && !std::mem::replace(&mut seen[child], true) {
                    count += 1;
                    pending.push_back(child);
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

    /// Collects each chain of the graph that begins with `chain`.
    fn all_chains(graph: &Graph, chain: &mut Vec<usize>, chains: &mut Vec<Vec<usize>>) {
        chains.push(chain.clone());
        for &child in &graph.children[*chain.last().unwrap()] {
            chain.push(child);
            all_chains(graph, chain, chains);
            chain.pop();
        }
    }

    #[test]
    fn critical_path_is_the_longest_chain() {
        use rand::{RngExt, SeedableRng};
        let mut random = rand::rngs::StdRng::seed_from_u64(1);
        for _ in 0..300 {
            let jobs = random.random_range(1..9);
            let mut edges = Vec::new();
            for job in 1..jobs {
                for parent in 0..job {
                    if random.random_range(0..3) == 0 {
                        edges.push((job, parent));
                    }
                }
            }
            let micros: Vec<u64> = (0..jobs).map(|_| random.random_range(0..4)).collect();
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
            assert_eq!(graph.cycle(), None);
        }
    }

    #[test]
    fn cycle_is_found_and_ends_no_path() {
        // 0 ← 1 ← 2 ← 3 ← 1, and 4 after them; 5 waits for itself.
        let graph = Graph::new(6, [(1, 0), (2, 1), (3, 2), (1, 3), (4, 3)]);
        let cycle = graph.cycle().unwrap();
        assert_eq!(cycle.len(), 3, "{cycle:?}");
        for (place, &job) in cycle.iter().enumerate() {
            assert!(graph.parents(job).contains(&cycle[(place + 1) % 3]), "{cycle:?}");
        }
        assert_eq!(graph.critical_path(&[5, 100, 100, 100, 100, 1]), [0]);
        assert_eq!(graph.waiting_for(1, &[true; 6]), 3);
        assert_eq!(Graph::new(1, [(0, 0)]).cycle(), Some(vec![0]));
    }

    #[test]
    fn finished_job_is_not_counted_as_waiting() {
        // 0 ← 1 ← 2, 0 ← 3 ← 2
        let graph = Graph::new(4, [(1, 0), (2, 1), (3, 0), (2, 3)]);
        assert_eq!(graph.waiting_for(0, &[false, true, true, true]), 3);
        assert_eq!(graph.waiting_for(0, &[false, false, true, true]), 2);
        assert_eq!(graph.waiting_for(0, &[false, false, true, false]), 0);
    }

    #[test]
    fn dag_without_jobs_has_no_critical_path() {
        assert_eq!(Graph::new(0, []).critical_path(&[]), Vec::<usize>::new());
    }
}
