//! Answers of the Query services: XML to JSON, as the port's contract says.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use serde_json::Value;
use std::collections::BTreeMap;

/// Deepest nesting that is read. The deepest answer of EC2 (launch template versions) has about a dozen levels.
const DEEPEST: usize = 64;

/// An element's content, with its name: strings; objects by child elements; arrays where all children are `item` or
/// `member`, or where a name occurs more than once.
///
/// # Errors
/// What is wrong with the XML, in words. None of its content is quoted.
pub(in crate::aws) fn read(text: &str) -> Result<(String, Value), String> {
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event().map_err(|error| broken(&reader, &error.to_string()))? {
            Event::Start(start) => {
                let name = name(&start)?;
                return Ok((name, content(&mut reader, 1)?));
            }
            Event::Empty(start) => return Ok((name(&start)?, Value::String(String::new()))),
            Event::Text(_) | Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            // Entities can be declared in it: the services have none, and an expansion would have no limit.
            Event::DocType(_) => return Err("it has a document type, which no AWS answer has".into()),
            Event::Eof => return Err("it has no element".into()),
            _ => return Err("it is no XML document".into()),
        }
    }
}

fn content(reader: &mut Reader<&[u8]>, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err(format!("it is nested deeper than {DEEPEST} levels"));
    }
    let mut text = String::new();
    let mut children: Vec<(String, Value)> = Vec::new();
    loop {
        match reader.read_event().map_err(|error| broken(reader, &error.to_string()))? {
            Event::Start(start) => children.push((name(&start)?, content(reader, depth + 1)?)),
            Event::Empty(start) => children.push((name(&start)?, Value::String(String::new()))),
            Event::Text(part) => text.push_str(&part.decode().map_err(|error| error.to_string())?),
            Event::CData(part) => {
                text.push_str(std::str::from_utf8(&part).map_err(|_| "it is not UTF-8".to_owned())?);
            }
            Event::GeneralRef(reference) => text.push(referred(&reference)?),
            Event::End(_) => break,
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return Err("it ends in the middle".into()),
            _ => return Err("it is no XML document".into()),
        }
    }
    Ok(if children.is_empty() { Value::String(text) } else { grouped(children) })
}

fn grouped(children: Vec<(String, Value)>) -> Value {
    if ["item", "member"].iter().any(|listed| children.iter().all(|(name, _)| name == listed)) {
        return children.into_iter().map(|(_, value)| value).collect();
    }
    let mut members: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (name, value) in children {
        members.entry(name).or_default().push(value);
    }
    let once = |(name, mut values): (String, Vec<Value>)| match values.pop() {
        Some(value) if values.is_empty() => (name, value),
        last => (name, values.into_iter().chain(last).collect()),
    };
    Value::Object(members.into_iter().map(once).collect())
}

fn name(start: &BytesStart<'_>) -> Result<String, String> {
    let name = start.local_name();
    std::str::from_utf8(name.as_ref()).map(str::to_owned).map_err(|_| "it is not UTF-8".to_owned())
}

/// `&lt;` and `&#10;`; XML has five named entities without a document type.
fn referred(reference: &BytesRef<'_>) -> Result<char, String> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(character);
    }
    match reference.decode().map_err(|error| error.to_string())?.as_ref() {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err("it has an entity that XML does not know".into()),
    }
}

fn broken(reader: &Reader<&[u8]>, why: &str) -> String {
    format!("it is broken at byte {}: {why}", reader.error_position())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn elements_become_objects_lists_and_strings() {
        let (name, value) = read(
            "<?xml version=\"1.0\"?>\n<DescribeVpcsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">
               <requestId>1</requestId>
               <vpcSet>
                 <item><vpcId>vpc-1</vpcId><isDefault>false</isDefault><tagSet/></item>
                 <item><vpcId>vpc-2</vpcId><tagSet><item><key>a</key><value>x &amp; &#x79;</value></item></tagSet></item>
               </vpcSet>
             </DescribeVpcsResponse>",
        )
        .unwrap();
        assert_eq!(name, "DescribeVpcsResponse");
        let vpcs = json!([
            {"vpcId": "vpc-1", "isDefault": "false", "tagSet": ""},
            {"vpcId": "vpc-2", "tagSet": [{"key": "a", "value": "x & y"}]},
        ]);
        assert_eq!(value, json!({"requestId": "1", "vpcSet": vpcs}));
    }

    #[test]
    fn text_is_kept_as_it_is() {
        let (_, value) = read("<a><b> x\n</b><c><![CDATA[<&>]]></c><d></d></a>").unwrap();
        assert_eq!(value, json!({"b": " x\n", "c": "<&>", "d": ""}));
    }

    #[test]
    fn a_name_twice_is_a_list() {
        let (_, value) = read("<a><b>1</b><c/><b>2</b><b>3</b></a>").unwrap();
        assert_eq!(value, json!({"b": ["1", "2", "3"], "c": ""}));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let deep = "<a>".repeat(80) + &"</a>".repeat(80);
        let bomb = "<!DOCTYPE x [<!ENTITY a \"b\">]><x>&a;</x>";
        for text in ["", "plain", "<a>", "<a></b>", "<a>&nbsp;</a>", "<html><br></html>", bomb, &deep] {
            assert!(read(text).is_err(), "{text:.40}");
        }
    }
}
