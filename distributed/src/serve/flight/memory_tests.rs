//! What clients send and keep is bounded, whatever they say of it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, NullArray};
use arrow::datatypes::{Field, Int64Type, Schema};
use arrow::ipc::CompressionType;
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::{CommandStatementIngest, ProstMessageExt, TableDefinitionOptions};
use arrow_flight::{FlightData, FlightDescriptor};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use prost::Message;
use quarray_engine::state::memory_pool;
use quarray_engine::{Rows, Session};

use super::blocks::Blocks;
use super::kept::KeptBytes;
use super::options::{OptionKind, OptionValue, SetSessionOptions};
use super::received::tests::{buffers, forged, messages};
use super::results::{Redeemed, Results};
use super::statement::Statement;
use super::tests::{Client, Ended, act, column, fetch, integers, named, numbers, refused, server, server_of};
use crate::serve::ACTION_OPTIONS;

fn ingest(table: &str, options: HashMap<String, String>) -> CommandStatementIngest {
    let replace = TableDefinitionOptions { if_not_exist: 1, if_exists: 3 };
    CommandStatementIngest {
        table_definition_options: Some(replace),
        table: table.to_string(),
        options,
        ..CommandStatementIngest::default()
    }
}

/// Puts messages as they are into a table.
async fn put(client: &mut Client, mut messages: Vec<FlightData>) -> Ended {
    let first = messages.first_mut().ok_or("no messages")?;
    let command = ingest("taken", HashMap::new()).as_any().encode_to_vec();
    first.flight_descriptor = Some(FlightDescriptor::new_cmd(command));
    client.do_put(stream::iter(messages)).await?.try_collect::<Vec<_>>().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_claims_too_much_is_refused_and_the_server_goes_on() -> Ended {
    let server = server().await?;
    let mut client = named(&server, "ada").await?;
    for codec in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        let honest = messages(Some(codec)).await?;
        put(&mut client, honest.clone()).await?;
        assert_eq!(numbers(&mut client, "SELECT count(*) FROM taken").await?, [2000]);
        assert_eq!(numbers(&mut client, "SELECT sum(n) FROM taken WHERE d = 'y'").await?, [667_333]);
        let offset = buffers(&honest)?.pop().ok_or("no buffers")?;
        let claimed = put(&mut client, forged(&honest, offset, 1 << 46)?).await;
        refused(claimed, "once they are unpacked")?;
        assert_eq!(numbers(&mut client, "SELECT 1").await?, [1]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_bounded_in_rows() -> Ended {
    let server = server().await?;
    let mut client = named(&server, "ada").await?;
    let mut prepared = client.prepare("SELECT ? IS NULL AS v".to_string(), None).await?;
    let schema = Arc::new(Schema::new(vec![Field::new("a", arrow::datatypes::DataType::Null, true)]));
    let missing = |rows| RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(NullArray::new(rows)) as ArrayRef]);
    prepared.set_parameters(missing(1_000_001)?)?;
    refused(prepared.execute().await.map_err(Into::into), "at most 1000000 rows of values, found 1000001")?;
    prepared.set_parameters(missing(2)?)?;
    let info = prepared.execute().await?;
    assert_eq!(fetch(&mut client, &info).await?.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_all_statements_are_bounded_together() -> Ended {
    let server = server().await?;
    let mut client = named(&server, "ada").await?;
    // 24 MB: two of them have room.
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000_000));
    let values = RecordBatch::try_from_iter(["a", "b", "c"].map(|name| (name, Arc::clone(&values))))?;
    let text = "SELECT ? + ? + ? AS s".to_string();
    let mut bound = Vec::new();
    for _ in 0..2 {
        let mut prepared = client.prepare(text.clone(), None).await?;
        // What was bound before makes room.
        for _ in 0..2 {
            prepared.set_parameters(values.clone())?;
            prepared.execute().await?;
        }
        bound.push(prepared);
    }
    let mut third = client.prepare(text, None).await?;
    third.set_parameters(values)?;
    refused(third.execute().await.map_err(Into::into), "the values of all prepared statements")?;
    bound.pop().ok_or("nothing is bound")?.close().await?;
    third.execute().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn values_count_as_their_sessions() -> Ended {
    let server = server_of(Arc::new(|_| Session::builder().threads(2).memory_limit(8 << 20).build())).await?;
    let mut client = named(&server, "ada").await?;
    let mut prepared = client.prepare("SELECT ? AS v".to_string(), None).await?;
    prepared.set_parameters(RecordBatch::try_from_iter([column("a", vec![7; 1_000_000])])?)?;
    refused(prepared.execute().await.map_err(Into::into), "values of parameters")?;
    prepared.set_parameters(RecordBatch::try_from_iter([column("a", vec![7; 10])])?)?;
    let info = prepared.execute().await?;
    assert_eq!(integers(&fetch(&mut client, &info).await?)?, [7; 10]);
    Ok(())
}

/// A variable of so many cells over one dimension, which takes its memory from the pool.
fn array(cells: i64, pool: &Arc<dyn MemoryPool>) -> Ended<Rows> {
    let batch = RecordBatch::try_from_iter([column("x", (0..cells).collect()), column("v", (0..cells).collect())])?;
    let stream = RecordBatchStreamAdapter::new(batch.schema(), stream::iter([Ok(batch)]));
    let mut rows = Rows::new(Box::pin(stream), vec!["x".to_string()], None);
    rows.memory_pool = Some(Arc::clone(pool));
    Ok(rows)
}

#[tokio::test]
async fn blocks_count_until_they_have_been_sent() -> Ended {
    let pool = memory_pool(64 << 20);
    let results = Results::new(&Arc::new(KeptBytes::default()));
    let again = || Some(Statement::new("SELECT 1".to_string()));
    for (cells, stays) in [(1000, true), (500_000, false)] {
        let blocks = Blocks::of(array(cells, &pool)?).await?;
        let result = results.wait_made(blocks, again())?;
        let held = pool.reserved();
        assert!(held >= cells as usize * size_of::<i64>(), "{held} bytes of {cells} cells");
        let Redeemed::Blocks(blocks) = result.redeem()? else { return Err("no blocks".into()) };
        assert_eq!(pool.reserved(), held, "they count while they are on their way");
        drop(blocks);
        assert_eq!(pool.reserved(), 0);
        match (result.redeem()?, stays) {
            (Redeemed::Batches(batches), true) => assert_eq!(batches.len(), 1),
            (Redeemed::Again(_), false) => {}
            _ => return Err(format!("{cells} cells, which stay: {stays}").into()),
        }
    }
    // What nobody asks for goes with the session, …
    results.wait_made(Blocks::of(array(1000, &pool)?).await?, again())?;
    assert!(pool.reserved() > 0);
    drop(results);
    assert_eq!(pool.reserved(), 0);
    // … and what does not fit is not made.
    assert!(Blocks::of(array(500_000, &memory_pool(5 << 20))?).await.is_err());
    assert_eq!(pool.reserved(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_were_not_kept_are_made_again() -> Ended {
    let server = server().await?;
    let mut client = named(&server, "ada").await?;
    let folder = tempfile::tempdir()?;
    let place = folder.path().join("cells.zarr");
    store(&mut client, &place).await?;
    let form = OptionValue { kind: Some(OptionKind::Text("blocks".to_string())) };
    let options = SetSessionOptions { options: HashMap::from([("result_form".to_string(), form)]) };
    act(&mut client, ACTION_OPTIONS, options.encode_to_vec()).await?;
    let info = client.execute(format!("FROM '{}'", place.display()), None).await?;
    let first = fetch(&mut client, &info).await?;
    let list = first.first().ok_or("no blocks")?.column(0).as_fixed_size_list().value(0);
    let cells = list.as_primitive::<Int64Type>().values();
    assert!(cells.iter().copied().eq(0..300_000), "all cells, in the order in which their rows came");
    assert_eq!(fetch(&mut client, &info).await?, first);
    Ok(())
}

/// A store of more cells than are kept once they have been sent.
async fn store(client: &mut Client, place: &Path) -> Ended {
    let batch = RecordBatch::try_from_iter([column("x", (0..300_000).collect()), column("v", (0..300_000).collect())])?;
    let options = HashMap::from([("dimensions".to_string(), "x".to_string())]);
    let command = ingest(&place.display().to_string(), options);
    client.execute_ingest(command, stream::iter([Ok(batch)])).await?;
    Ok(())
}
