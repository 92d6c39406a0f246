//! Links between documents: each relative link names a file that exists, each anchor a heading that exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

use super::{pages, root};

/// What a page links to, and the anchors of its headings.
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

/// The anchor that a code host gives to a heading, without the number for repeated headings.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ => letter.is_alphanumeric().then_some(letter),
    });
    kept.flat_map(char::to_lowercase).collect()
}

fn read(path: &Path) -> Page {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut page = Page { links: Vec::new(), anchors: BTreeSet::new() };
    let mut heading: Option<String> = None;
    let mut repeated: BTreeMap<String, usize> = BTreeMap::new();
    for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let anchor = slug(&heading.take().unwrap_or_default());
                let count = repeated.entry(anchor.clone()).or_default();
                page.anchors.insert(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
                *count += 1;
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::Start(Tag::Link { dest_url, link_type, .. }) if link_type != LinkType::Autolink => {
                page.links.push(dest_url.to_string());
            }
            Event::Start(Tag::Image { dest_url, .. }) => page.links.push(dest_url.to_string()),
            Event::Html(html) | Event::InlineHtml(html) => {
                let sources = html.split([' ', '\n']).filter_map(|word| word.strip_prefix("src"));
                let sources = sources.filter_map(|rest| rest.split('"').nth(1));
                page.links.extend(sources.map(str::to_owned));
            }
            _ => {}
        }
    }
    page
}

/// The path without `..`, so that two ways to one file are equal.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

/// The file that a relative link of `page` names, and the anchor in it; `None` for links to other sites.
fn target(page: &Path, link: &str) -> Option<(PathBuf, Option<String>)> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = match link.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor.to_owned())),
        None => (link, None),
    };
    let folder = page.parent().unwrap_or(page);
    let file = if file.is_empty() { page.to_owned() } else { normal(&folder.join(file)) };
    Some((file, anchor))
}

#[test]
fn each_link_names_a_file_and_heading_that_exist() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for path in pages() {
        for link in read(&path).links {
            let Some((file, anchor)) = target(&path, &link) else { continue };
            let is_right = match anchor {
                None => file.exists(),
                Some(anchor) => file.is_file() && read(&file).anchors.contains(&anchor),
            };
            if !is_right {
                wrong.push(format!("{}: {link}", path.display()));
            }
            checked += 1;
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
    assert!(checked > 80, "only {checked} links were found");
}

#[test]
fn summary_lists_every_page_once() {
    let summary = root().join("docs/SUMMARY.md");
    let links = read(&summary).links;
    let listed: BTreeSet<PathBuf> =
        links.iter().filter_map(|link| target(&summary, link)).map(|(file, _)| file).collect();
    assert_eq!(listed.len(), links.len(), "a page is listed twice");
    // A draft for another project is not a page.
    let drafts = root().join("docs/upstream");
    let expected: BTreeSet<PathBuf> = pages()
        .into_iter()
        .filter(|page| {
            page.starts_with(root().join("docs")) && !page.starts_with(&drafts) && *page != summary
        })
        .collect();
    assert_eq!(listed, expected, "left: the pages in docs/SUMMARY.md; right: those in docs");
}

#[test]
fn anchors_follow_the_code_hosts_rule() {
    for (heading, anchor) in [
        ("See it live", "see-it-live"),
        ("`events`: Jobs and DAGs, counted once", "events-jobs-and-dags-counted-once"),
        ("What --state-file keeps", "what---state-file-keeps"),
        ("TLS & passwords", "tls--passwords"),
    ] {
        assert_eq!(slug(&heading.replace('`', "")), anchor);
    }
}
