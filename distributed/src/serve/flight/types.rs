//! The types of columns, as ODBC and JDBC know them.

use std::sync::OnceLock;

use arrow_flight::sql::metadata::{XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{Nullable, Searchable, XdbcDataType, XdbcDatetimeSubcode};
use tonic::Status;

/// All types.
pub(super) fn type_info() -> Result<&'static XdbcTypeInfoData, Status> {
    static INFO: OnceLock<Result<XdbcTypeInfoData, String>> = OnceLock::new();
    let made = INFO.get_or_init(|| {
        let mut builder = XdbcTypeInfoDataBuilder::new();
        let integers = [
            ("TINYINT", XdbcDataType::XdbcTinyint, 3, false),
            ("SMALLINT", XdbcDataType::XdbcSmallint, 5, false),
            ("INTEGER", XdbcDataType::XdbcInteger, 10, false),
            ("BIGINT", XdbcDataType::XdbcBigint, 19, false),
            ("TINYINT UNSIGNED", XdbcDataType::XdbcTinyint, 3, true),
            ("SMALLINT UNSIGNED", XdbcDataType::XdbcSmallint, 5, true),
            ("INTEGER UNSIGNED", XdbcDataType::XdbcInteger, 10, true),
            ("BIGINT UNSIGNED", XdbcDataType::XdbcBigint, 20, true),
        ];
        for (name, data_type, digits, is_unsigned) in integers {
            builder.append(integer(name, data_type, digits, is_unsigned));
        }
        builder.append(float("REAL", XdbcDataType::XdbcReal, 24));
        builder.append(float("DOUBLE", XdbcDataType::XdbcDouble, 53));
        builder.append(decimal());
        builder.append(plain("BOOLEAN", XdbcDataType::XdbcBit, 1));
        builder.append(quoted("VARCHAR", XdbcDataType::XdbcVarchar, "'"));
        builder.append(quoted("BYTEA", XdbcDataType::XdbcVarbinary, "X'"));
        // The subcode of a date has the number of that of a year.
        let date = (XdbcDataType::XdbcDate, XdbcDatetimeSubcode::XdbcSubcodeYear, 10);
        builder.append(time("DATE", date, None));
        let clock = (XdbcDataType::XdbcTime, XdbcDatetimeSubcode::XdbcSubcodeTime, 18);
        builder.append(time("TIME", clock, Some(9)));
        let instant = (XdbcDataType::XdbcTimestamp, XdbcDatetimeSubcode::XdbcSubcodeTimestamp, 29);
        builder.append(time("TIMESTAMP", instant, Some(9)));
        builder.build().map_err(|error| error.to_string())
    });
    made.as_ref().map_err(|error| Status::internal(error.clone()))
}

fn plain(name: &str, data_type: XdbcDataType, size: i32) -> XdbcTypeInfo {
    XdbcTypeInfo {
        type_name: name.to_string(),
        data_type,
        column_size: Some(size),
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Full,
        local_type_name: Some(name.to_string()),
        sql_data_type: data_type,
        ..XdbcTypeInfo::default()
    }
}

fn integer(name: &str, data_type: XdbcDataType, digits: i32, is_unsigned: bool) -> XdbcTypeInfo {
    XdbcTypeInfo {
        unsigned_attribute: Some(is_unsigned),
        fixed_prec_scale: true,
        auto_increment: Some(false),
        minimum_scale: Some(0),
        maximum_scale: Some(0),
        num_prec_radix: Some(10),
        ..plain(name, data_type, digits)
    }
}

fn float(name: &str, data_type: XdbcDataType, digits: i32) -> XdbcTypeInfo {
    XdbcTypeInfo {
        unsigned_attribute: Some(false),
        auto_increment: Some(false),
        num_prec_radix: Some(2),
        ..plain(name, data_type, digits)
    }
}

fn decimal() -> XdbcTypeInfo {
    XdbcTypeInfo {
        create_params: Some(vec!["precision".to_string(), "scale".to_string()]),
        unsigned_attribute: Some(false),
        auto_increment: Some(false),
        minimum_scale: Some(0),
        maximum_scale: Some(38),
        num_prec_radix: Some(10),
        ..plain("DECIMAL", XdbcDataType::XdbcDecimal, 38)
    }
}

fn quoted(name: &str, data_type: XdbcDataType, prefix: &str) -> XdbcTypeInfo {
    XdbcTypeInfo {
        literal_prefix: Some(prefix.to_string()),
        literal_suffix: Some("'".to_string()),
        case_sensitive: true,
        ..plain(name, data_type, i32::MAX)
    }
}

fn time(
    name: &str,
    (data_type, subcode, size): (XdbcDataType, XdbcDatetimeSubcode, i32),
    digits: Option<i32>,
) -> XdbcTypeInfo {
    XdbcTypeInfo {
        literal_prefix: Some(format!("{name} '")),
        literal_suffix: Some("'".to_string()),
        minimum_scale: digits.map(|_| 0),
        maximum_scale: digits,
        sql_data_type: XdbcDataType::XdbcDatetime,
        datetime_subcode: Some(subcode),
        ..plain(name, data_type, size)
    }
}
