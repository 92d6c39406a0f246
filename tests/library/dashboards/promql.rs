//! Parser of queries: the series of each selector, and the functions and aggregations around it.

use std::collections::BTreeSet;
use std::time::Duration;

use promql_parser::label::{MatchOp, Matchers};
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};

/// Value for Grafana's variable `$__rate_interval` that no query has by chance.
pub(crate) const RATE_INTERVAL: Duration = Duration::from_secs(4321);

/// One selector of a query.
#[derive(Debug)]
pub(crate) struct Selector {
    pub(crate) name: String,
    /// Label, operator and value of each matcher.
    pub(crate) matchers: Vec<(String, &'static str, String)>,
    /// The range in brackets.
    pub(crate) range: Option<Duration>,
    /// The function of which the selector is a direct argument.
    pub(crate) function: Option<&'static str>,
    /// Whether an aggregation around it keeps only one of several exporters.
    pub(crate) is_of_one_exporter: bool,
}

/// Labels of an aggregation or a match, with the selectors below it.
#[derive(Debug)]
pub(crate) struct Grouping {
    pub(crate) labels: Vec<String>,
    pub(crate) over: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Query {
    pub(crate) selectors: Vec<Selector>,
    pub(crate) groupings: Vec<Grouping>,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Query, String> {
        let expanded = text
            .replace("$__rate_interval", &format!("{}s", RATE_INTERVAL.as_secs()))
            .replace("$__interval", "1m")
            .replace("$__range", "1h");
        let tree = parser::parse(&expanded).map_err(|error| format!("{text}: {error}"))?;
        let mut query = Query::default();
        query.walk(&tree, None, false);
        Ok(query)
    }

    fn names(&self) -> BTreeSet<String> {
        self.selectors.iter().map(|selector| selector.name.clone()).collect()
    }

    fn walk(&mut self, tree: &Expr, function: Option<&'static str>, of_one: bool) {
        match tree {
            Expr::VectorSelector(selector) => self.selector(selector, None, function, of_one),
            Expr::MatrixSelector(matrix) => self.selector(&matrix.vs, Some(matrix.range), function, of_one),
            Expr::Call(call) => {
                for argument in &call.args.args {
                    self.walk(argument, Some(call.func.name), of_one);
                }
            }
            Expr::Aggregate(aggregate) => {
                let of_one = of_one || leaves_one(&aggregate.op.to_string(), aggregate.modifier.as_ref());
                let mut below = Query::default();
                below.walk(&aggregate.expr, None, of_one);
                if let Some(modifier) = &aggregate.modifier {
                    below.group(modifier.labels().labels.clone());
                }
                self.absorb(below);
            }
            Expr::Binary(binary) => {
                let mut below = Query::default();
                below.walk(&binary.lhs, None, of_one);
                below.walk(&binary.rhs, None, of_one);
                if let Some(modifier) = &binary.modifier {
                    if let Some(matching) = &modifier.matching {
                        below.group(matching.labels().labels.clone());
                    }
                    if let Some(more) = modifier.card.labels() {
                        below.group(more.labels.clone());
                    }
                }
                self.absorb(below);
            }
            Expr::Unary(unary) => self.walk(&unary.expr, None, of_one),
            Expr::Paren(paren) => self.walk(&paren.expr, function, of_one),
            Expr::Subquery(subquery) => self.walk(&subquery.expr, function, of_one),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
        }
    }

    fn selector(
        &mut self,
        selector: &VectorSelector,
        range: Option<Duration>,
        function: Option<&'static str>,
        is_of_one_exporter: bool,
    ) {
        let name = selector.name.clone().unwrap_or_default();
        let matchers = matchers(&selector.matchers);
        self.selectors.push(Selector { name, matchers, range, function, is_of_one_exporter });
    }

    fn group(&mut self, labels: Vec<String>) {
        let over = self.names();
        self.groupings.push(Grouping { labels, over });
    }

    fn absorb(&mut self, other: Query) {
        self.selectors.extend(other.selectors);
        self.groupings.extend(other.groupings);
    }
}

/// Returns whether the aggregation keeps only one of several exporters.
fn leaves_one(operator: &str, modifier: Option<&LabelModifier>) -> bool {
    match modifier {
        Some(LabelModifier::Exclude(labels)) => {
            operator == "max"
                && ["instance", "pod"].iter().all(|label| labels.labels.iter().any(|l| l == label))
        }
        // The largest of several equal numbers is one of them.
        _ => operator == "max" || operator == "min",
    }
}

fn matchers(matchers: &Matchers) -> Vec<(String, &'static str, String)> {
    let one = |matcher: &promql_parser::label::Matcher| {
        let operator = match matcher.op {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Re(_) => "=~",
            MatchOp::NotRe(_) => "!~",
        };
        (matcher.name.clone(), operator, matcher.value.clone())
    };
    matchers.matchers.iter().chain(matchers.or_matchers.iter().flatten()).map(one).collect()
}

#[test]
fn query_is_split_into_selectors_and_groupings() {
    let query =
        Query::parse("sum by (queue) (max without (instance, pod) (rate(a_total{job=~\"$job\"}[$__rate_interval]))) / on (queue) b")
            .unwrap();
    let [a, b] = &query.selectors[..] else { panic!("{query:?}") };
    assert_eq!((a.name.as_str(), a.function, a.range), ("a_total", Some("rate"), Some(RATE_INTERVAL)));
    assert_eq!(a.matchers, [("job".to_owned(), "=~", "$job".to_owned())]);
    assert!(a.is_of_one_exporter && !b.is_of_one_exporter);
    let groupings: Vec<usize> = query.groupings.iter().map(|grouping| grouping.over.len()).collect();
    assert_eq!(groupings, [1, 1, 2]);
    assert!(Query::parse("sum(").is_err());
}
