//! Answers that Prometheus 2.42 gave about itself (scrape interval 1 s), recorded with curl; the rest is damaged on purpose.

use super::*;
use proptest::prelude::*;

fn success(data: &str) -> String {
    format!(r#"{{"status":"success","data":{data}}}"#)
}

fn query(data: &str) -> Instant {
    parse_query(success(data).as_bytes()).unwrap().data
}

fn millis(millis: i64) -> Timestamp {
    Timestamp::from_micros(millis * 1_000)
}

#[test]
fn recorded_scalars_and_strings() {
    for (result, at, value) in [
        (r#"[1795254065.232,"1.5"]"#, 1_795_254_065_232, 1.5),
        (r#"[1795254065.338,"1000000000000000000000"]"#, 1_795_254_065_338, 1e21),
        (r#"[1795254065.345,"0.0000001"]"#, 1_795_254_065_345, 1e-7),
        (r#"[1795254065.351,"123456789.125"]"#, 1_795_254_065_351, 123_456_789.125),
    ] {
        let got = query(&format!(r#"{{"resultType":"scalar","result":{result}}}"#));
        assert_eq!(got, Instant::Scalar(Point { at: millis(at), value }), "{result}");
    }
    let Instant::Scalar(point) = query(r#"{"resultType":"scalar","result":[1795254065.246,"NaN"]}"#) else { panic!() };
    assert!(point.value.is_nan());
    let got = query(r#"{"resultType":"string","result":[1795254065.239,"text"]}"#);
    assert_eq!(got, Instant::String { at: millis(1_795_254_065_239), text: "text".to_owned() });
}

#[test]
fn recorded_vectors() {
    let got = query(
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","instance":"127.0.0.1:19431","job":"prometheus"},"value":[1795254065.225,"1"]}]}"#,
    );
    let Instant::Vector(series) = got else { panic!("{got:?}") };
    assert_eq!(series[0].point, Point { at: millis(1_795_254_065_225), value: 1.0 });
    assert_eq!((series[0].labels["job"].as_str(), series[0].labels.len()), ("prometheus", 3));
    for (text, value) in [("+Inf", f64::INFINITY), ("-Inf", f64::NEG_INFINITY)] {
        let got = query(&format!(
            r#"{{"resultType":"vector","result":[{{"metric":{{}},"value":[1795254065.252,"{text}"]}}]}}"#
        ));
        assert!(matches!(&got, Instant::Vector(series) if series[0].point.value == value), "{got:?}");
    }
    assert_eq!(query(r#"{"resultType":"vector","result":[]}"#), Instant::Vector(Vec::new()));
}

#[test]
fn recorded_matrices() {
    let raw = r#"{"resultType":"matrix","result":[{"metric":{"__name__":"up"},"values":[[1795254060.904,"1"],[1795254061.904,"1"]]}]}"#;
    let got = query(raw);
    assert!(matches!(&got, Instant::Matrix(matrix) if matrix.series[0].points.len() == 2), "{got:?}");
    let body = success(
        r#"{"resultType":"matrix","result":[{"metric":{},"values":[[1795254063,"NaN"],[1795254064,"+Inf"],[1795254065,"+Inf"]]}]}"#,
    );
    let matrix = parse_query_range(body.as_bytes()).unwrap().data;
    let points = &matrix.series[0].points;
    assert!(points[0].value.is_nan() && points[1].value == f64::INFINITY);
    assert_eq!(points[2].at, Timestamp::from_secs(1_795_254_065), "whole seconds come without a point");
    let body = success(r#"{"resultType":"matrix","result":[]}"#);
    assert_eq!(parse_query_range(body.as_bytes()).unwrap().data, Matrix::default());
}

#[test]
fn warnings_and_infos_are_kept_and_unknown_fields_ignored() {
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[],"stats":{"x":1}},"warnings":["w"],"infos":["i"]}"#;
    assert_eq!(parse_query(body.as_bytes()).unwrap().warnings, ["w", "i"]);
}

#[test]
fn recorded_failures_keep_the_words_of_prometheus() {
    for (body, kind, part) in [
        (
            r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:6: parse error: unclosed left parenthesis"}"#,
            "bad_data",
            "unclosed left parenthesis",
        ),
        (
            r#"{"status":"error","errorType":"execution","error":"found duplicate series for the match group {} on the right hand-side"}"#,
            "execution",
            "duplicate series",
        ),
        (
            r#"{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"}"#,
            "bad_data",
            "11,000 points",
        ),
        (r#"{"status":"error"}"#, "an error without a type", "no reason given"),
    ] {
        for error in [parse_query(body.as_bytes()).unwrap_err(), parse_query_range(body.as_bytes()).unwrap_err()] {
            assert!(matches!(&error, AnswerError::Failed { error_type, .. } if error_type == kind), "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}

#[test]
fn what_is_no_answer_says_so() {
    for body in [
        "",
        "404 page not found\n",
        "<html>log in</html>",
        "{}",
        "null",
        r#"{"status":"success"}"#,
        r#"{"status":"well","data":{"resultType":"vector","result":[]}}"#,
        r#"{"status":"success","data":{"resultType":"cube","result":[]}}"#,
        r#"{"status":"success","data":{"resultType":"scalar","result":[1,1.5]}}"#,
        r#"{"status":"success","data":{"resultType":"scalar","result":[1,"many"]}}"#,
        r#"{"status":"success","data":{"resultType":"scalar","result":["1","1"]}}"#,
        r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1",2]}}"#,
        r#"{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"1"]}]}}"#,
        r#"{"status":"success","data":{"resultType":"vector","result":[]}} trailing"#,
    ] {
        let error = parse_query(body.as_bytes()).unwrap_err();
        assert!(matches!(error, AnswerError::NotAnAnswer { .. }), "{body}: {error}");
        assert!(error.to_string().contains("Check that the address"), "{error}");
    }
    assert!(parse_query("[".repeat(100_000).as_bytes()).is_err(), "deep nesting ends in an error, not in a crash");
}

#[test]
fn an_instant_answer_is_no_range() {
    for (data, found) in [
        (r#"{"resultType":"vector","result":[]}"#, "vector"),
        (r#"{"resultType":"scalar","result":[1,"1"]}"#, "scalar"),
        (r#"{"resultType":"string","result":[1,"1"]}"#, "string"),
    ] {
        let error = parse_query_range(success(data).as_bytes()).unwrap_err();
        assert!(error.to_string().contains(found) && error.to_string().contains("/api/v1/query_range"), "{error}");
    }
}

#[test]
fn native_histograms_are_refused() {
    let histogram = r#"[1,{"count":"1","sum":"2","buckets":[[0,"1","2","1"]]}]"#;
    let vector = format!(
        r#"{{"resultType":"vector","result":[{{"metric":{{}},"value":[1,"1"]}},{{"metric":{{}},"histogram":{histogram}}}]}}"#
    );
    assert_eq!(parse_query(success(&vector).as_bytes()).unwrap_err(), AnswerError::Histogram { element: 1 });
    for values in ["", r#""values":[[1,"1"]],"#] {
        let matrix =
            format!(r#"{{"resultType":"matrix","result":[{{"metric":{{}},{values}"histograms":[{histogram}]}}]}}"#);
        assert_eq!(parse_query_range(success(&matrix).as_bytes()).unwrap_err(), AnswerError::Histogram { element: 0 });
    }
}

proptest! {
    /// Whatever bytes come, the answer is a value or an error.
    #[test]
    fn no_bytes_break_it(body in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..200, flip in 0_usize..200) {
        let _ = parse_query(&body);
        let mut real = success(r#"{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1.5,"1"],[2,"NaN"]]}]}"#).into_bytes();
        real.truncate(cut.max(1));
        let place = flip % real.len();
        real[place] ^= 0x11;
        let _ = parse_query_range(&real);
    }

    /// Every number survives being printed as Prometheus prints it.
    #[test]
    fn values_are_exact(value in any::<f64>().prop_filter("equal to itself", |value| !value.is_nan())) {
        let got = query(&format!(r#"{{"resultType":"scalar","result":[1,"{value}"]}}"#));
        prop_assert_eq!(got, Instant::Scalar(Point { at: Timestamp::from_secs(1), value }));
    }
}
