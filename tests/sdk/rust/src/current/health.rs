//! Health.

use super::world::World;

pub async fn walk(world: &World) {
    world.svix.health().get().await.expect("the server is well");
}
